/**
 * Which physical kind of the row codec a PostgreSQL type is stored as, and how its values become bytes where no kind
 * fits. Changing a line here changes what is on disk: it needs a new row codec version.
 */
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {PgType} from '../../catalog/types/pg-type.ts';
import {RowCodec} from '../../storage/row-codec.ts';

const PHYSICAL_BY_OID: Readonly<Record<number, 'bool' | 'int' | 'bigint' | 'float' | 'string' | 'bytes'>> = {
    16: 'bool',
    17: 'bytes',
    20: 'bigint',
    21: 'int',
    23: 'int',
    26: 'int',
    700: 'float',
    701: 'float',
    1082: 'float', // date: days, with infinities
    1083: 'float', // time: microseconds below 2^53
    1114: 'bigint',
    1184: 'bigint',
    25: 'string',
    19: 'string',
    18: 'string',
    1043: 'string',
    1042: 'string',
    114: 'string',
    3802: 'string',
    1700: 'string',
    2950: 'string',
    869: 'string',
    650: 'string',
};

/** Types of other kinds (interval, timetz, arrays) are kept in PostgreSQL's binary send format. */
export function makeRowCodec(table: TableDescriptor, types: readonly PgType[]): RowCodec {
    return new RowCodec(
        table.columns.map((column, index) => {
            const type = types[index];
            if (type === undefined) throw new Error('one type per column');
            const physical = type.kind === 'enum' ? 'string' : PHYSICAL_BY_OID[type.baseOid];
            if (physical !== undefined) return {field: column.attnum, physical, missing: column.missing};
            return {
                field: column.attnum,
                physical: 'bytes',
                missing: column.missing,
                toBytes: (value: unknown) => type.send(value as Datum),
                fromBytes: (bytes: Buffer) => type.receive(bytes, 0, bytes.length),
            };
        }),
    );
}
