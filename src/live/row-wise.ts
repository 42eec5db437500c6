/**
 * Which queries can be decided row by row: one table, no grouping, no order, no subqueries, and only expressions whose
 * value never changes while the row and the parameters stay the same.
 *
 * What must stay true: what depends on the time, on chance, on sequences or on other rows is refused: a row could
 * otherwise enter or leave without any change that would tell.
 */
import {strict as assert} from 'node:assert';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {notSupported, type PgError} from '../../catalog/errors.ts';
import type {BoundSelect} from '../sql/bound.ts';
import {FUNCTIONS} from '../sql/builtins/functions.ts';

/** The query's table. Throws 0A000 naming what the query has that cannot be kept live. */
export function assertRowWise(select: BoundSelect): TableDescriptor {
    const [source, more] = select.sources;
    if (source === undefined) throw notLive('a query without a table');
    if (more !== undefined) throw notLive('a join');
    if (source.kind !== 'table') throw notLive('FROM anything but a table');
    if (select.ctes.length > 0) throw notLive('WITH');
    if (select.hasAggregates) throw notLive('an aggregate function');
    if (select.groupBy !== null || select.having !== null) throw notLive('GROUP BY or HAVING');
    if (select.distinct !== 'none') throw notLive('DISTINCT');
    if (select.orderBy.length > 0) throw notLive('ORDER BY');
    if (select.limit !== null || select.offset !== null) throw notLive('LIMIT or OFFSET');
    visit(select.targets);
    visit(select.where);
    assert(select.from.length === 1, 'one source and not one FROM item');
    return source.table;
}

const REFUSED_NODES: Readonly<Record<string, string>> = {
    aggregate: 'an aggregate function',
    window: 'a window function',
    subquery: 'a subquery',
};

const CLOCK_VALUES: ReadonlySet<string> = new Set([
    'current_date',
    'current_timestamp',
    'localtimestamp',
    'current_time',
    'localtime',
]);

let changingNames: ReadonlySet<string> | undefined;

/** Built-in functions with a volatile or stable form that reads a clock, chance, a sequence or the server's state. */
function changingFunctions(): ReadonlySet<string> {
    if (changingNames !== undefined) return changingNames;
    const names = new Set(
        'now statement_timestamp transaction_timestamp timeofday age currval lastval current_setting'.split(' '),
    );
    for (const line of FUNCTIONS.split('\n')) {
        const [name, , , flags] = line.split(' ');
        if (name !== undefined && flags !== undefined && /^[faw](?:[oh][0-9]+)?v/.test(flags)) names.add(name);
    }
    changingNames = names;
    return names;
}

function visit(value: unknown): void {
    if (Array.isArray(value)) {
        for (const item of value) visit(item);
        return;
    }
    if (typeof value !== 'object' || value === null) return;
    const {kind, name, args} = value as {kind?: unknown; name?: unknown; args?: unknown};
    if (typeof kind === 'string' && REFUSED_NODES[kind] !== undefined) throw notLive(REFUSED_NODES[kind]);
    if (kind === 'sqlvalue' && typeof name === 'string' && CLOCK_VALUES.has(name)) throw changing(name.toUpperCase());
    if (kind === 'function' && typeof name === 'string' && isChangingCall(name, args)) throw changing(`${name}()`);
    for (const inner of Object.values(value)) visit(inner);
}

/** age(a, b) is a difference; age(a) is measured from today. */
function isChangingCall(name: string, args: unknown): boolean {
    if (name === 'age' && Array.isArray(args) && args.length === 2) return false;
    return changingFunctions().has(name) || /^(?:pg_|txid_|has_)/.test(name);
}

function notLive(what: string): PgError {
    return notSupported(`${what} in a live query`, 'A live query is a filter and a projection over one table.');
}

function changing(what: string): PgError {
    return notSupported(
        `${what} in a live query`,
        'Its value changes while the rows do not. Give the value as a constant and subscribe again when it is stale.',
    );
}
