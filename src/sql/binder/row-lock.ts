/**
 * FOR UPDATE and its kin on a plain query of one table. Any other use is left to PostgreSQL.
 */
import type {BoundSelect, RowLockStrength} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {Node} from '../nodes.ts';
import {as} from '../nodes.ts';
import type {StatementState} from './context.ts';

const STRENGTHS: Readonly<Record<string, RowLockStrength>> = {
    LCS_FORUPDATE: 'update',
    LCS_FORNOKEYUPDATE: 'no key update',
    LCS_FORSHARE: 'share',
    LCS_FORKEYSHARE: 'key share',
};
const WAITS: Readonly<Record<string, 'wait' | 'nowait' | 'skip locked'>> = {
    LockWaitBlock: 'wait',
    LockWaitError: 'nowait',
    LockWaitSkip: 'skip locked',
};

export function bindRowLock(state: StatementState, select: BoundSelect, nodes: readonly Node[]): void {
    const [node, ...others] = nodes;
    const lock = as(node, 'LockingClause');
    const [source, ...moreSources] = select.sources;
    if (lock === undefined || others.length > 0) throw new Unsupported('several locking clauses');
    if (source?.kind !== 'table' || moreSources.length > 0) throw new Unsupported('FOR UPDATE of several sources');
    if (select.hasAggregates || select.distinct !== 'none') throw new Unsupported('FOR UPDATE of groups');
    if (select.ctes.length > 0) throw new Unsupported('FOR UPDATE with WITH');
    for (const relation of lock.lockedRels ?? []) {
        const range = as(relation, 'RangeVar');
        if (range?.relname !== source.alias || range.schemaname !== undefined) throw new Unsupported('FOR UPDATE OF');
    }
    const strength = STRENGTHS[lock.strength];
    const wait = WAITS[lock.waitPolicy];
    if (strength === undefined || wait === undefined) throw new Unsupported('locking clause');
    state.rowLock = {strength, wait};
}
