/**
 * Names of segments in the object store: `{schema}/{table}/{table id}/{segment id}.parquet`. The names of schema and
 * table are those at the time of writing, for people and other tools; only the ids mean something.
 */
import type {TableDescriptor} from '../../catalog/descriptor.ts';

/** Object names allow 200 characters between slashes, and 512 bytes in all. */
const NAME_CHARACTERS_MAX = 120;

export function segmentObjectName(table: TableDescriptor, segmentId: number): string {
    return `${plain(table.schema)}/${plain(table.name)}/${table.tableId}/${segmentId}.parquet`;
}

/** The ids in the name of a segment's object; undefined for an object that is none. */
export function parseSegmentObjectName(name: string): {tableId: number; segmentId: number} | undefined {
    const match = /^[^/]+\/[^/]+\/(\d{1,10})\/(\d{1,10})\.parquet$/.exec(name);
    return match === null ? undefined : {tableId: Number(match[1]), segmentId: Number(match[2])};
}

/** Letters, digits and underscores stay; every other byte is `=` and its two hexadecimal digits, as in MIME. */
function plain(name: string): string {
    let text = '';
    for (const byte of Buffer.from(name, 'utf8')) {
        const character = String.fromCharCode(byte);
        text += /\w/.test(character) ? character : `=${byte.toString(16).padStart(2, '0')}`;
    }
    return text.slice(0, NAME_CHARACTERS_MAX);
}
