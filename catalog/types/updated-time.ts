/**
 * The output type of `_updated` in a select list: a timestamptz to clients, but nanoseconds since 1970 in memory, so
 * that its text has nine digits. It has an oid of its own for the result columns of plans; clients are told 1184.
 *
 * What must stay true: never a column's type and never sent as an oid; binary is a timestamptz's, to the microsecond.
 */
import {makeType, type PgType} from './pg-type.ts';
import {printTimestamptz, timestamptzCodec} from './timestamp.ts';

export const UPDATED_TIME_OID = 0xffff0001;
const TIMESTAMPTZ_ARRAY_OID = 1185;
const NANOS_PER_SECOND = 1_000_000_000n;
/** From 1970-01-01 to 2000-01-01. */
const EPOCH_MICROS = 946_684_800_000_000n;
/** `2026-11-23 09:37:42` in ISO style. */
const ISO_SECONDS = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/;

function microsOf(nanos: bigint): bigint {
    return nanos / 1000n - EPOCH_MICROS;
}

export const UPDATED_TIME: PgType = makeType(
    {
        oid: UPDATED_TIME_OID,
        name: '_updated_time',
        sqlName: 'timestamp with time zone',
        length: 8,
        category: 'D',
        preferred: false,
        arrayOid: TIMESTAMPTZ_ARRAY_OID,
        elementOid: 0,
        element: undefined,
        kind: 'base',
        baseOid: UPDATED_TIME_OID,
        base: undefined,
        notNull: false,
        labels: [],
    },
    {
        ...timestamptzCodec,
        print(value, settings) {
            const nanos = value as bigint;
            const fraction = nanos % NANOS_PER_SECOND;
            const seconds = printTimestamptz(microsOf(nanos - fraction), settings);
            const match = ISO_SECONDS.exec(seconds);
            if (match === null) return printTimestamptz(microsOf(nanos), settings);
            return `${match[0]}.${String(fraction).padStart(9, '0')}${seconds.slice(match[0].length)}`;
        },
        send: (value) => timestamptzCodec.send(microsOf(value as bigint)),
    },
);
