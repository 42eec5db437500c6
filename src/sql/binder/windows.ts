/**
 * OVER clauses: named and inline windows, and their frames (transformWindowDefinitions of PostgreSQL's parse_clause.c).
 */
import {OID} from '../../../catalog/types/oids.ts';
import type {TypeRef} from '../../../catalog/descriptor.ts';
import type {Expr, FrameBound, SortKey, WindowExpr, WindowFrame} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {Node, WindowDef} from '../nodes.ts';
import {as} from '../nodes.ts';
import {coerceToTarget, resolveUnknown} from './coerce.ts';
import type {StatementState} from './context.ts';
import {bindExpression} from './expressions.ts';
import type {QueryScope} from './scope.ts';
import {sortKey} from './sorting.ts';
import {isSortable, plain} from './types.ts';
import {contains} from './walk.ts';

/** FRAMEOPTION_* of parsenodes.h. */
const FRAME = {
    nonDefault: 0x1,
    range: 0x2,
    rows: 0x4,
    groups: 0x8,
    startUnboundedPreceding: 0x20,
    endUnboundedPreceding: 0x40,
    startUnboundedFollowing: 0x80,
    endUnboundedFollowing: 0x100,
    startCurrentRow: 0x200,
    endCurrentRow: 0x400,
    startOffsetPreceding: 0x800,
    endOffsetPreceding: 0x1000,
    startOffsetFollowing: 0x2000,
    endOffsetFollowing: 0x4000,
    excludeCurrentRow: 0x8000,
    excludeGroup: 0x10000,
    excludeTies: 0x20000,
} as const;

export function bindWindow(
    state: StatementState,
    scope: QueryScope,
    over: WindowDef,
    call: WindowExpr['call'],
    type: TypeRef,
): WindowExpr {
    if (scope.clause !== 'target' && scope.clause !== 'order') throw new Unsupported(`window in ${scope.clause}`);
    scope.hasWindows = true;
    const wasInsideWindow = scope.insideWindow;
    scope.insideWindow = true;
    try {
        const {partition, order, frameOptions, definition} = resolveDefinition(scope, over);
        const partitionBy = partition.map((node) => {
            const expr = resolveUnknown(state, bindExpression(state, scope, node));
            if (!isSortable(state, expr.type.oid)) throw new Unsupported('PARTITION BY');
            return expr;
        });
        const orderBy = order.map((node) => {
            const sort = as(node, 'SortBy');
            if (sort === undefined) throw new Unsupported('ORDER BY');
            return sortKey(state, sort, resolveUnknown(state, bindExpression(state, scope, sort.node)));
        });
        const frame = bindFrame(state, scope, definition, frameOptions, orderBy);
        return {kind: 'window', call, partitionBy, orderBy, frame, type};
    } finally {
        scope.insideWindow = wasInsideWindow;
    }
}

interface Definition {
    readonly partition: readonly Node[];
    readonly order: readonly Node[];
    readonly frameOptions: number;
    readonly definition: WindowDef;
}

const REFERENCES_MAX = 16;

/** `OVER w`, `OVER (w ORDER BY …)` and windows that build on windows. */
function resolveDefinition(scope: QueryScope, over: WindowDef, depth = 0): Definition {
    const own = {
        partition: over.partitionClause ?? [],
        order: over.orderClause ?? [],
        frameOptions: over.frameOptions ?? 0,
        definition: over,
    };
    // OVER w comes as a name without parentheses; (w …) as refname.
    const isBareName = over.name !== undefined && depth === 0;
    const reference = isBareName ? over.name : over.refname;
    if (reference === undefined) return own;
    const named = scope.windows.get(reference);
    if (named === undefined || depth > REFERENCES_MAX) throw new Unsupported('window name');
    const base = resolveDefinition(scope, {...named, name: undefined} as unknown as WindowDef, depth + 1);
    if (isBareName) return base;
    if (own.partition.length > 0) throw new Unsupported('PARTITION BY of a named window');
    if (own.order.length > 0 && base.order.length > 0) throw new Unsupported('ORDER BY of a named window');
    if ((base.frameOptions & FRAME.nonDefault) !== 0) throw new Unsupported('frame of a named window');
    return {...own, partition: base.partition, order: own.order.length > 0 ? own.order : base.order};
}

function bindFrame(
    state: StatementState,
    scope: QueryScope,
    definition: WindowDef,
    options: number,
    orderBy: readonly SortKey[],
): WindowFrame | null {
    if ((options & FRAME.nonDefault) === 0) return null;
    const mode = (options & FRAME.rows) !== 0 ? 'rows' : (options & FRAME.groups) !== 0 ? 'groups' : 'range';
    if (mode === 'groups' && orderBy.length === 0) throw new Unsupported('GROUPS without ORDER BY');
    const offset = (node: Node | undefined): Expr => bindOffset(state, scope, mode, node, orderBy);
    const start = bindBound(options, FRAME_START, () => offset(definition.startOffset));
    const end = bindBound(options, FRAME_END, () => offset(definition.endOffset));
    const exclude =
        (options & FRAME.excludeCurrentRow) !== 0
            ? 'current row'
            : (options & FRAME.excludeGroup) !== 0
              ? 'group'
              : (options & FRAME.excludeTies) !== 0
                ? 'ties'
                : 'none';
    return {mode, start, end, exclude};
}

const FRAME_START = {
    unboundedPreceding: FRAME.startUnboundedPreceding,
    unboundedFollowing: FRAME.startUnboundedFollowing,
    currentRow: FRAME.startCurrentRow,
    offsetPreceding: FRAME.startOffsetPreceding,
    offsetFollowing: FRAME.startOffsetFollowing,
} as const;
const FRAME_END = {
    unboundedPreceding: FRAME.endUnboundedPreceding,
    unboundedFollowing: FRAME.endUnboundedFollowing,
    currentRow: FRAME.endCurrentRow,
    offsetPreceding: FRAME.endOffsetPreceding,
    offsetFollowing: FRAME.endOffsetFollowing,
} as const;

function bindBound(
    options: number,
    bits: Readonly<Record<keyof typeof FRAME_START, number>>,
    offset: () => Expr,
): FrameBound {
    if ((options & bits.unboundedPreceding) !== 0) return {kind: 'unbounded preceding'};
    if ((options & bits.unboundedFollowing) !== 0) return {kind: 'unbounded following'};
    if ((options & bits.currentRow) !== 0) return {kind: 'current row'};
    if ((options & bits.offsetPreceding) !== 0) return {kind: 'preceding', offset: offset()};
    if ((options & bits.offsetFollowing) !== 0) return {kind: 'following', offset: offset()};
    throw new Unsupported('frame');
}

/** Sort keys that RANGE can count from, with the type of the distance (pg_amproc's in_range functions). */
const RANGE_OFFSETS = new Map<number, number>([
    [OID.int2, OID.int2],
    [OID.int4, OID.int4],
    [OID.int8, OID.int8],
    [OID.numeric, OID.numeric],
    [OID.float8, OID.float8],
    [OID.date, OID.interval],
    [OID.timestamp, OID.interval],
    [OID.timestamptz, OID.interval],
    [OID.time, OID.interval],
]);

function bindOffset(
    state: StatementState,
    scope: QueryScope,
    mode: WindowFrame['mode'],
    node: Node | undefined,
    orderBy: readonly SortKey[],
): Expr {
    if (node === undefined) throw new Unsupported('frame');
    const expr = bindExpression(state, scope, node);
    if (contains(expr, (e) => e.kind === 'column' || e.kind === 'aggregate' || e.kind === 'window')) {
        throw new Unsupported('frame offset with columns');
    }
    if (mode !== 'range') return coerceToTarget(state, expr, plain(OID.int8), 'assignment');
    const [key, ...others] = orderBy;
    const wanted = key === undefined ? undefined : RANGE_OFFSETS.get(key.expr.type.oid);
    if (wanted === undefined || others.length > 0) throw new Unsupported('RANGE offset');
    if (expr.type.oid !== wanted && !(expr.type.oid === OID.unknown && wanted === OID.interval)) {
        throw new Unsupported('RANGE offset type');
    }
    return coerceToTarget(state, expr, plain(wanted), 'implicit');
}
