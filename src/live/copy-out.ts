/**
 * A live query as COPY … TO STDOUT that does not end by itself: one event a line, in the formats text, csv and json.
 * Source: PostgreSQL documentation, COPY, "File Formats".
 *
 * What must stay true: one column, the event's JSON. A line is encoded once for all who share the event. The reader
 * decides the pace; leaving the loop, by cancel or because the client is gone, ends the subscription.
 */
import type {CopyFormat} from '../sql/own-statements/own-statement.ts';
import type {LiveQueue} from './live-queue.ts';

/** Columns of the CopyOutResponse. */
export const COPY_OUT_COLUMN_COUNT = 1;

const TEXT_SPECIAL = /[\\\n\r\t\b\f\v]/g;
const TEXT_ESCAPES: Readonly<Record<string, string>> = {
    '\\': '\\\\',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\b': '\\b',
    '\f': '\\f',
    '\v': '\\v',
};

const ENCODERS: Readonly<Record<CopyFormat, (json: string) => Buffer>> = {
    text: (json) => Buffer.from(`${json.replace(TEXT_SPECIAL, (char) => TEXT_ESCAPES[char] ?? char)}\n`),
    csv: (json) => Buffer.from(`"${json.replaceAll('"', '""')}"\n`),
    // An event is one line already.
    json: (json) => Buffer.from(`${json}\n`),
};

/**
 * The lines of each batch, for one CopyData each. Await `ResponseWriter.drained()` between them when it is congested.
 * Returns after `subscription.close()`, which a cancel or a lost connection must call because a reader that waits cannot
 * be left in another way; throws the error that ends the live query (57014 when it is killed, 54000 when it fell behind).
 */
export async function* copyOut(
    queue: LiveQueue,
    format: CopyFormat,
    subscription: {close(): void},
): AsyncGenerator<readonly Buffer[], void, undefined> {
    const encode = ENCODERS[format];
    try {
        for await (const batch of queue.batches()) yield batch.events.map((event) => event.encoded(format, encode));
    } finally {
        subscription.close();
    }
}
