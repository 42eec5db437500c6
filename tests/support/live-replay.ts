/**
 * A client's copy of a live query, kept by its events. It checks the contract while it replays: commit order, nothing
 * twice, nothing about a row that the client cannot know. The query's first two columns are an integer key and a value.
 */
import {strict as assert} from 'node:assert';
import type {Row} from './outcome.ts';

export interface LiveEvent {
    readonly op: string;
    readonly _seq: string;
    readonly row?: Readonly<Record<string, unknown>>;
    readonly old?: Readonly<Record<string, unknown>>;
}

/** Value by key. */
export type LiveRows = ReadonlyMap<number, number>;

export function liveRowsOf(rows: readonly Row[]): LiveRows {
    return new Map(
        rows.map(([key, value]) => [Number(key), Number(value)] as const).sort(([left], [right]) => left - right),
    );
}

/** The rows after all events, starting at `before` or at the snapshot that the events carry. */
export function replay(before: LiveRows, events: readonly LiveEvent[]): LiveRows {
    const rows = events.some(({op}) => op === 'snapshot') ? new Map<number, number>() : new Map(before);
    let lastSeq = -1n;
    for (const event of events) {
        const {op, _seq: seq, row, old} = event;
        if (op !== 'snapshot' && op !== 'ready') {
            assert(BigInt(seq) > lastSeq, `out of order or repeated: ${JSON.stringify(event)}`);
            lastSeq = BigInt(seq);
        }
        if (op === 'truncate') rows.clear();
        if (op === 'update' || op === 'delete' || op === 'leave') {
            assert(rows.delete(keyAndValue(old ?? row)[0]), `a row that is not there: ${JSON.stringify(event)}`);
        }
        if (op === 'snapshot' || op === 'insert' || op === 'enter' || op === 'update') {
            const [key, value] = keyAndValue(row);
            assert(!rows.has(key), `a row that is there already: ${JSON.stringify(event)}`);
            rows.set(key, value);
        }
    }
    // Updates move a row to the end of the map: compare by key.
    return new Map([...rows].sort(([left], [right]) => left - right));
}

function keyAndValue(row: Readonly<Record<string, unknown>> | undefined): [number, number] {
    const [key, value] = Object.values(row ?? {});
    return [Number(key), Number(value)];
}
