/**
 * One event of a live query as its JSON text, and the batch of a transaction's events. Equal queries share both, so a
 * change is encoded once however many listen; other encodings (a line of COPY) are made once and kept beside the JSON.
 *
 * What must stay true: the text is one line; `_seq` is always a string of digits; an event is immutable. The shapes are
 * part of the contract with clients (docs/live.md): add to them, never change them.
 */
import type {PgError} from '../../catalog/errors.ts';

export type LiveOperation =
    'snapshot' | 'ready' | 'insert' | 'update' | 'delete' | 'enter' | 'leave' | 'truncate' | 'error';

export class LiveEvent {
    readonly op: LiveOperation;
    /** The `_seq` of the event: a client that has seen it resumes after it. */
    readonly seq: number;
    readonly json: string;
    readonly bytes: number;
    readonly #encoded = new Map<string, Buffer>();

    constructor(op: LiveOperation, seq: number, json: string) {
        this.op = op;
        this.seq = seq;
        this.json = json;
        this.bytes = Buffer.byteLength(json);
    }

    /** The event in another encoding, made by `encode` for the first who asks and shared by all after. */
    encoded(name: string, encode: (json: string) => Buffer): Buffer {
        let bytes = this.#encoded.get(name);
        if (bytes === undefined) {
            bytes = encode(this.json);
            this.#encoded.set(name, bytes);
        }
        return bytes;
    }
}

/** Events that are delivered together or not at all. */
export interface LiveBatch {
    /** `_seq` of the transaction they come from; of the snapshot for its rows. */
    readonly transactionSeq: number;
    readonly events: readonly LiveEvent[];
    /** Sum over the events. */
    readonly bytes: number;
}

export function makeBatch(transactionSeq: number, events: readonly LiveEvent[]): LiveBatch {
    let bytes = 0;
    for (const event of events) bytes += event.bytes;
    return {transactionSeq, events, bytes};
}

/** `row` and `old` are JSON objects, or undefined where the operation has none. */
export function rowEvent(
    op: Exclude<LiveOperation, 'ready' | 'truncate' | 'error'>,
    seq: number,
    row: string | undefined,
    old: string | undefined,
): LiveEvent {
    let json = `{"op":"${op}","_seq":"${seq}"`;
    if (row !== undefined) json += `,"row":${row}`;
    if (old !== undefined) json += `,"old":${old}`;
    return new LiveEvent(op, seq, `${json}}`);
}

/** ready: the snapshot is complete, changes follow. truncate: every row of the table is gone. */
export function markEvent(op: 'ready' | 'truncate', seq: number): LiveEvent {
    return new LiveEvent(op, seq, `{"op":"${op}","_seq":"${seq}"}`);
}

/** The last event of a subscription that ended by an error, for those who get events as notifications. */
export function errorEvent(lastSeq: number | undefined, error: PgError): LiveEvent {
    const seq = lastSeq === undefined ? null : String(lastSeq);
    const {code, message, detail, hint} = error;
    return new LiveEvent('error', lastSeq ?? 0, JSON.stringify({op: 'error', _seq: seq, code, message, detail, hint}));
}
