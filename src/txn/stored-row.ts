/**
 * What stands behind a row key in the hot store, as versions: a hot row as the row codec wrote it, or the stub of a
 * cold one (layout: storage/hot/keys.ts). Stubs are kept for tables with unique keys, so that a key's uniqueness and
 * place are known without asking any segment.
 */
import type {Datum} from '../../catalog/types/datum.ts';
import {type ColdStub, decodeStub, isStub} from '../../storage/hot/keys.ts';
import type {RowCodec} from '../../storage/row-codec.ts';
import type {RowVersion} from './row-version.ts';

export function decodeStoredRow(bytes: Buffer, codec: RowCodec): RowVersion | ColdStub {
    if (isStub(bytes)) return decodeStub(bytes);
    const row = codec.decode(bytes);
    return {
        rowid: row.rowid,
        seq: row.seq,
        updatedNs: row.updatedNs,
        owner: row.owner,
        values: row.values as Datum[],
        deleted: false,
        previous: null,
    };
}
