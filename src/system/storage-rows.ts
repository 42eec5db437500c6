/** Tables, segments and storages as system.tables, system.segments and system.storages show them. */
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {ROWID_ATTNUM} from '../../catalog/descriptor.ts';
import {storageLocation} from '../../catalog/storages.ts';
import type {SystemRow} from '../../catalog/system/relations.ts';
import {tableRange} from '../../storage/hot/keys.ts';
import type {Database} from '../database.ts';
import {print} from '../exec/vector-plan.ts';
import {chunkDatums} from '../exec/vector/results.ts';
import type {SessionContextState} from '../session/statement-context.ts';
import type {BoundSelect} from '../sql/bound.ts';
import {instant, text} from './system-text.ts';

const INT8 = {oid: 20, typmod: -1};

export async function tableRows(database: Database, context: SessionContextState): Promise<SystemRow[]> {
    const rows: SystemRow[] = [];
    for (const table of context.catalog.tables()) {
        const {options} = table;
        const tiers = database.tiers(table.tableId);
        const {segments} = tiers.manifest;
        // A count that has the rows of others in it would tell of them.
        const counted = options.kind !== 'user' || context.identity.superuser;
        rows.push([
            text(table.tableId),
            table.schema,
            table.name,
            options.kind,
            table.owner,
            options.storage,
            text(options.ttlMs === undefined ? undefined : options.ttlMs / 1000),
            options.flushPolicy === undefined ? null : JSON.stringify(options.flushPolicy),
            options.compression,
            text(table.version),
            text(await hotRows(database, context, table)),
            text(await database.hot.approximateBytes(tableRange(table.tableId))),
            counted ? text(tiers.liveRows) : null,
            counted ? text(segments.reduce((bytes, segment) => bytes + segment.bytes, 0)) : null,
            text(segments.length),
        ]);
    }
    return rows;
}

/** Rows in the hot store that the session may see: counted on the mirror, the segments left out. */
async function hotRows(database: Database, context: SessionContextState, table: TableDescriptor): Promise<bigint> {
    const executor = await database.vector();
    const input = database.tableInput(context, table);
    const owner = context.identity.superuser ? undefined : input.owner;
    const snapshot = await executor.snapshot([table], () => ({
        seq: database.committer.visibleSeq,
        inputs: new Map([[table.tableId, {...input, owner, segments: [], overlay: undefined}]]),
    }));
    try {
        const printed = print(countOf(table), context, []);
        const result = await snapshot.run(printed, 'UTC');
        const chunk = await result.fetch();
        const [row] = chunk === null ? [] : chunkDatums(chunk, printed.columns, context.catalog.types);
        return (row?.[0] as bigint | undefined) ?? 0n;
    } finally {
        await snapshot.close();
    }
}

function countOf(table: TableDescriptor): BoundSelect {
    const rowid = {kind: 'column', level: 0, source: 0, column: ROWID_ATTNUM, name: '_rowid', type: INT8} as const;
    return {
        kind: 'select',
        ctes: [],
        sources: [{kind: 'table', alias: table.name, table}],
        from: [{kind: 'source', source: 0}],
        where: null,
        groupBy: null,
        having: null,
        targets: [
            {
                name: 'count',
                expr: {
                    kind: 'aggregate',
                    name: 'count',
                    star: false,
                    args: [rowid],
                    distinct: false,
                    filter: null,
                    orderBy: [],
                    withinGroup: false,
                    type: INT8,
                },
            },
        ],
        distinct: 'none',
        orderBy: [],
        limit: null,
        limitWithTies: false,
        offset: null,
        columns: [{name: 'count', type: INT8, tableOid: 0, attnum: 0}],
        hasAggregates: true,
    };
}

export function segmentRows(database: Database, context: SessionContextState): SystemRow[] {
    const rows: SystemRow[] = [];
    for (const table of context.catalog.tables()) {
        // Segments of a user table hold the rows of many.
        if (table.options.kind === 'user' && !context.identity.superuser) continue;
        const tiers = database.tiers(table.tableId);
        for (const segment of tiers.manifest.segments) {
            rows.push([
                text(segment.segmentId),
                text(table.tableId),
                table.schema,
                table.name,
                null,
                table.options.storage,
                segment.objectName,
                text(segment.rows),
                text(tiers.deadCount(segment.segmentId)),
                text(segment.bytes),
                text(segment.minSeq),
                text(segment.maxSeq),
                instant(Number(segment.createdNs / 1_000_000n)),
            ]);
        }
    }
    return rows;
}

export function storageRows(database: Database): SystemRow[] {
    return [...database.catalog.storages()].map((storage) => {
        const tables = [...database.catalog.tables()].filter((table) => table.options.storage === storage.name);
        const segments = tables.flatMap((table) => database.tiers(table.tableId).manifest.segments);
        return [
            storage.name,
            storage.type,
            storageLocation(storage),
            storage.owner,
            text(tables.length),
            text(segments.length),
            text(segments.reduce((bytes, segment) => bytes + segment.bytes, 0)),
        ];
    });
}
