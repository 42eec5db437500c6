/**
 * Expressions of the bound tree as DuckDB SQL. Each is printed together with the DuckDB type it certainly has, so that
 * numerics keep PostgreSQL's display scale and nothing computes with values that are only text.
 *
 * What must stay true: every construct comes from the table in proven.ts or has its own function here with a
 * differential test; anything else throws `Unsupported`.
 */
import type {
    AggregateExpr,
    CastExpr,
    ColumnExpr,
    Expr,
    FrameBound,
    FunctionExpr,
    LikeExpr,
    OperatorExpr,
    ScalarArrayExpr,
    SortKey,
    SubqueryExpr,
    WindowExpr,
} from '../../../sql/bound.ts';
import {Unsupported} from '../../../sql/bound.ts';
import type {TypeRef} from '../../../../catalog/descriptor.ts';
import type {Datum} from '../../../../catalog/types/datum.ts';
import type {DuckType} from '../type-map.ts';
import {decimalType, duckParameterType, duckTypeOf, listType, numericModifier, OID, TEXT_TYPE} from '../type-map.ts';
import {compare, comparable, groupable, isComparison, sortable, unify} from './comparison.ts';
import type {PrintContext, Typed} from './context.ts';
import {bounded, fill, MARK, provenName} from './context.ts';
import {decimalTypeOf, listItems, literal} from './literal.ts';
import type {Proven} from './proven.ts';
import {
    AGGREGATES,
    CASTS,
    EXTRACT_FIELDS,
    FUNCTIONS,
    OPERATORS,
    RAISE,
    TRUNC_FIELDS,
    TRUNC_WITHIN_HOUR,
    WINDOW_FUNCTIONS,
} from './proven.ts';

export function printExpression(context: PrintContext, expr: Expr): Typed {
    const scope = context.scopes.at(-1);
    const {grouped} = scope ?? {};
    if (scope !== undefined && grouped !== undefined && expr.kind !== 'aggregate') {
        scope.grouped = undefined;
        // A grouping expression stands for itself; otherwise its parts must.
        const plain = tryPrint(context, expr);
        scope.grouped = grouped;
        if (plain !== undefined && grouped.has(plain.sql)) return plain;
    }
    return printNode(context, expr);
}

function tryPrint(context: PrintContext, expr: Expr): Typed | undefined {
    if (containsAggregate(expr)) return undefined;
    return printNode(context, expr);
}

function containsAggregate(expr: Expr): boolean {
    return expr.kind === 'aggregate' || expr.kind === 'window' || children(expr).some(containsAggregate);
}

function children(expr: Expr): readonly Expr[] {
    switch (expr.kind) {
        case 'operator':
            return expr.left === null ? [expr.right] : [expr.left, expr.right];
        case 'function':
        case 'and':
        case 'or':
        case 'coalesce':
        case 'greatest':
        case 'least':
            return expr.args;
        case 'cast':
        case 'not':
        case 'isnull':
        case 'booltest':
            return [expr.arg];
        case 'distinct':
        case 'nullif':
            return [expr.left, expr.right];
        case 'case':
            return [
                ...expr.whens.flatMap((when) => [when.condition, when.result]),
                ...(expr.otherwise ? [expr.otherwise] : []),
            ];
        case 'in':
            return [expr.arg, ...expr.list];
        case 'scalararray':
            return [expr.left, expr.array];
        case 'like':
            return [expr.arg, expr.pattern];
        case 'subquery':
            return expr.test === null ? [] : [expr.test];
        case 'array':
            return expr.elements;
        case 'row':
            return expr.fields;
        default:
            return [];
    }
}

function printNode(context: PrintContext, expr: Expr): Typed {
    const print = (inner: Expr): Typed => printExpression(context, inner);
    switch (expr.kind) {
        case 'const':
            return printConstant(context, expr.value, expr.type);
        case 'param':
            return printConstant(context, context.values.parameters[expr.index] ?? null, expr.type);
        case 'column':
            return printColumn(context, expr);
        case 'operator':
            return printOperator(context, expr);
        case 'function':
            return printFunction(context, expr);
        case 'aggregate':
            return printAggregate(context, expr);
        case 'window':
            return printWindow(context, expr);
        case 'cast':
            return printCast(context, expr);
        case 'and':
        case 'or': {
            const parts = expr.args.map((arg) => boolean(print(arg)));
            return bool(
                parts.length === 0
                    ? String(expr.kind === 'and')
                    : `(${parts.join(expr.kind === 'and' ? ' AND ' : ' OR ')})`,
            );
        }
        case 'not':
            return bool(`(NOT ${boolean(print(expr.arg))})`);
        case 'isnull': {
            if (expr.arg.kind === 'row') throw new Unsupported('a row');
            return bool(`(${print(expr.arg).sql} IS ${expr.negated ? 'NOT ' : ''}NULL)`);
        }
        case 'booltest': {
            const value = boolean(print(expr.arg));
            const not = expr.negated ? 'NOT ' : '';
            if (expr.test === 'unknown') return bool(`(${value} IS ${not}NULL)`);
            return bool(`(${value} IS ${expr.negated ? '' : 'NOT '}DISTINCT FROM ${expr.test})`);
        }
        case 'distinct': {
            const [left, right] = comparable('equality', print(expr.left), print(expr.right), context.codec);
            return bool(`(${left} IS ${expr.negated ? 'NOT ' : ''}DISTINCT FROM ${right})`);
        }
        case 'case': {
            const results = [
                ...expr.whens.map((when) => when.result),
                ...(expr.otherwise === null ? [] : [expr.otherwise]),
            ];
            const {texts, duck} = unifyExpressions(context, results);
            const whens = expr.whens.map(
                (when, index) => `WHEN ${boolean(print(when.condition))} THEN ${texts[index]}`,
            );
            const otherwise = expr.otherwise === null ? '' : ` ELSE ${texts.at(-1)}`;
            return typed(context, bounded(`(CASE ${whens.join(' ')}${otherwise} END)`), duck, expr.type);
        }
        case 'coalesce': {
            const {texts, duck} = unifyExpressions(context, expr.args);
            return typed(context, bounded(`coalesce(${texts.join(', ')})`), duck, expr.type);
        }
        case 'greatest':
        case 'least': {
            const {texts, duck} = unifyExpressions(context, expr.args);
            const result = typed(context, bounded(`${expr.kind}(${texts.join(', ')})`), duck, expr.type);
            sortable(result);
            if (provenName(result) === 'bpchar') throw new Unsupported(`${expr.kind} of bpchar`);
            return result;
        }
        case 'nullif': {
            const left = print(expr.left);
            const test = compare('=', left, print(expr.right), context.codec);
            return {...left, sql: bounded(`(CASE WHEN ${test} THEN NULL ELSE ${left.sql} END)`)};
        }
        case 'in': {
            const arg = print(expr.arg);
            const items = expr.list.map((item) => comparable('equality', arg, print(item), context.codec));
            const first = items[0];
            if (first === undefined) return bool(expr.negated ? 'true' : 'false');
            return bool(`(${first[0]} ${expr.negated ? 'NOT ' : ''}IN (${items.map(([, item]) => item).join(', ')}))`);
        }
        case 'scalararray':
            return printScalarArray(context, expr);
        case 'like':
            return printLike(context, expr);
        case 'subquery':
            return printSubquery(context, expr);
        case 'sqlvalue':
            return printConstant(context, context.values.value(expr.name), expr.type);
        case 'array':
        case 'row':
            throw new Unsupported(`${expr.kind === 'row' ? 'a row' : 'an array'} value`);
        default:
            return expr satisfies never;
    }
}

export function typed(context: PrintContext, sql: string, duck: DuckType, type: TypeRef): Typed {
    return {sql, duck, oid: context.codec.baseType(type).oid};
}

function bool(sql: string): Typed {
    return {
        sql: bounded(sql),
        duck: {kind: 'bool', sql: 'BOOLEAN', width: 0, scale: 0, element: undefined},
        oid: OID.bool,
    };
}

function boolean(value: Typed): string {
    if (value.duck.kind !== 'bool') throw new Unsupported('a condition that is not boolean');
    return value.sql;
}

function printConstant(context: PrintContext, value: Datum, type: TypeRef): Typed {
    let duck = duckParameterType(context.codec.baseType(type).oid, context.codec);
    const base = context.codec.baseType(type);
    if (base.oid === OID.numeric) duck = typeof value === 'string' ? decimalTypeOf(value) : decimalType(1, 0);
    const sql = literal(value, duck);
    if (sql.includes(MARK)) throw new Unsupported('a constant with control characters');
    return {sql, duck, oid: base.oid};
}

function printColumn(context: PrintContext, expr: ColumnExpr): Typed {
    const scope = context.scopes.at(-1 - expr.level);
    if (scope === undefined) throw new Unsupported('a reference to a query that is not there');
    const info = scope.column(expr.source, expr.column);
    if (expr.level === 0 && scope.grouped !== undefined && !scope.grouped.has(info.sql)) {
        // Only a column that depends on the grouped primary key may stand here: all rows of a group have the same.
        if (!scope.dependent) throw new Unsupported('a column that depends on several grouping sets');
        return {...info, sql: `first(${info.sql})`};
    }
    return info;
}

function unifyExpressions(context: PrintContext, branches: readonly Expr[]): {texts: string[]; duck: DuckType} {
    const printed = branches.map((branch) => printExpression(context, branch));
    return unify(printed, (index) => {
        const branch = branches[index];
        return branch?.kind === 'const' && branch.value === null;
    });
}

function proven(context: PrintContext, entry: Proven, operands: readonly Typed[], type: TypeRef, tail?: string): Typed {
    const texts = operands.map((operand) => operand.sql);
    return finish(context, fill(withTail(entry.sql, tail ?? ''), texts), entry, operands, type);
}

function withTail(template: string, tail: string): string {
    return template.includes('$tail') ? template.replace('$tail', () => tail) : template + tail;
}

function finish(context: PrintContext, sql: string, entry: Proven, operands: readonly Typed[], type: TypeRef): Typed {
    const base = context.codec.baseType(type);
    if (base.oid !== OID.numeric) return {sql, duck: duckTypeOf(base, context.codec), oid: base.oid};
    const scales = operands.filter((operand) => operand.duck.kind === 'decimal').map((operand) => operand.duck.scale);
    const scale =
        entry.scale === 'max'
            ? Math.max(...scales)
            : entry.scale === 'sum'
              ? scales.reduce((total, next) => total + next, 0)
              : entry.scale === 'same'
                ? (scales[0] ?? 0)
                : entry.scale === 'six'
                  ? 6
                  : 0;
    if (scale > 38) throw new Unsupported('a numeric of more than 38 decimals');
    // DuckDB's own width is at most this; pinned, so that the width of every result is known.
    const duck = decimalType(38, scale);
    return {sql: `CAST(${sql} AS ${duck.sql})`, duck, oid: OID.numeric};
}

function printOperator(context: PrintContext, expr: OperatorExpr): Typed {
    const right = printExpression(context, expr.right);
    const left = expr.left === null ? undefined : printExpression(context, expr.left);
    const op = expr.op === '!=' ? '<>' : expr.op;
    if (left !== undefined && isComparison(op)) return bool(compare(op, left, right, context.codec));
    const operands =
        left === undefined ? [right] : [left, right].map((operand) => (op === '||' ? asText(operand) : operand));
    const key = `${op}(${operands.map(provenName).join(',')})`;
    const entry = OPERATORS.get(key);
    if (entry === undefined) throw new Unsupported(`operator ${key}`);
    return proven(context, entry, operands, expr.type);
}

/** `text || anything` takes the text form of the other operand. */
function asText(value: Typed): Typed {
    const entry = CASTS.get(`${provenName(value)}>text`);
    if (entry === undefined) return value;
    // A boolean's output form is a letter, its cast to text the word.
    if (provenName(value) === 'bool') throw new Unsupported('|| of a boolean');
    return {sql: fill(entry.sql, [value.sql]), duck: TEXT_TYPE, oid: OID.text};
}

function printFunction(context: PrintContext, expr: FunctionExpr): Typed {
    const [first, second] = expr.args;
    switch (expr.name) {
        case 'now':
        case 'transaction_timestamp':
            return printConstant(context, context.values.value('now'), expr.type);
        case 'grouping': {
            const keys = expr.args.map((arg) => printExpression(context, arg).sql);
            return typed(
                context,
                `CAST(grouping(${keys.join(', ')}) AS INTEGER)`,
                duckTypeOf(expr.type, context.codec),
                expr.type,
            );
        }
        case 'date_trunc': {
            const field = constantText(first);
            if (field === undefined || second === undefined || expr.args.length !== 2 || !TRUNC_FIELDS.has(field))
                break;
            const value = printExpression(context, second);
            if (provenName(value) !== 'timestamp' && provenName(value) !== 'timestamptz') break;
            const within = provenName(value) === 'timestamptz' ? TRUNC_WITHIN_HOUR.get(field) : undefined;
            if (within !== undefined) {
                const sql = `(CASE WHEN isinf(${value.sql}) THEN ${value.sql} ELSE ${value.sql} - to_microseconds(${fill(within, [value.sql])}) END)`;
                return typed(context, bounded(sql), value.duck, expr.type);
            }
            return typed(context, `date_trunc('${field}', ${value.sql})`, value.duck, expr.type);
        }
        case 'extract':
        case 'date_part':
            return printExtract(context, expr);
        default:
    }
    const operands = expr.args.map((arg) => printExpression(context, arg));
    const key = `${expr.name}(${operands.map(provenName).join(',')})`;
    const entry = FUNCTIONS.get(key);
    if (entry === undefined) throw new Unsupported(`function ${key}`);
    if (entry.scale !== 'argument') return proven(context, entry, operands, expr.type);
    // round(numeric, n): n decimals are shown, also where the value has fewer.
    const digits = second?.kind === 'const' && typeof second.value === 'number' ? second.value : -1;
    const value = operands[0];
    if (value === undefined || digits < 0 || digits > 30)
        throw new Unsupported(`${expr.name} to a varying number of digits`);
    const duck = decimalType(38, digits);
    return {sql: `CAST(round(${value.sql}, ${digits}) AS ${duck.sql})`, duck, oid: OID.numeric};
}

function constantText(expr: Expr | undefined): string | undefined {
    return expr?.kind === 'const' && typeof expr.value === 'string' ? expr.value.toLowerCase() : undefined;
}

function printExtract(context: PrintContext, expr: FunctionExpr): Typed {
    const [first, second] = expr.args;
    const field = EXTRACT_FIELDS.get(constantText(first) ?? '');
    if (field === undefined || second === undefined) throw new Unsupported('this field of extract');
    const value = printExpression(context, second);
    const name = provenName(value);
    const timeField = field.micros || field.sql.startsWith('hour') || field.sql.startsWith('minute');
    if (name !== 'timestamp' && name !== 'timestamptz' && !(name === 'date' && !timeField)) {
        throw new Unsupported(`extract from ${name}`);
    }
    // A field of infinity is infinity, which a decimal cannot be.
    const whole = `(CASE WHEN isinf(${value.sql}) THEN ${RAISE} ELSE ${fill(field.sql, [value.sql])} END)`;
    const scale = field.micros ? 6 : 0;
    const exact = field.micros
        ? `CAST(CAST(${whole} AS DECIMAL(20,0)) * CAST('0.000001' AS DECIMAL(6,6)) AS DECIMAL(38,6))`
        : `CAST(${whole} AS DECIMAL(38,0))`;
    if (expr.name === 'extract') return {sql: bounded(exact), duck: decimalType(38, scale), oid: OID.numeric};
    const sql = field.micros ? `(CAST(${whole} AS DOUBLE) / 1000000)` : `CAST(${whole} AS DOUBLE)`;
    return typed(context, bounded(sql), duckTypeOf(expr.type, context.codec), expr.type);
}

function printAggregate(context: PrintContext, expr: AggregateExpr): Typed {
    if (expr.withinGroup) throw new Unsupported('an ordered-set aggregate');
    const scope = context.scopes.at(-1);
    const grouped = scope?.grouped;
    if (scope !== undefined) scope.grouped = undefined;
    try {
        const operands = expr.args.map((arg) => printExpression(context, arg));
        const filter = expr.filter === null ? '' : ` FILTER (WHERE ${boolean(printExpression(context, expr.filter))})`;
        const order = expr.orderBy.length === 0 ? '' : ` ORDER BY ${printSortKeys(context, expr.orderBy)}`;
        if (expr.distinct) for (const operand of operands.slice(0, 1)) groupable(operand, context.codec);
        if (expr.name === 'array_agg') return printArrayAggregate(context, expr, operands, order, filter);
        const entry = aggregateEntry(expr, operands);
        const texts = operands.map((operand, index) => {
            const distinct = expr.distinct && index === 0 ? 'DISTINCT ' : '';
            return distinct + operand.sql + (index === operands.length - 1 ? order : '');
        });
        return finish(context, fill(withTail(entry.sql, filter), texts), entry, operands, expr.type);
    } finally {
        if (scope !== undefined) scope.grouped = grouped;
    }
}

function aggregateEntry(call: {name: string; star: boolean}, operands: readonly Typed[]): Proven {
    const types = operands.map(provenName).join(',');
    // count takes anything: it only asks whether the value is there.
    const key = call.name === 'count' ? (operands.length === 0 ? 'count()' : 'count(*)') : `${call.name}(${types})`;
    const entry = AGGREGATES.get(key);
    if (entry === undefined || operands.length > 2) throw new Unsupported(`aggregate ${call.name}(${types})`);
    return entry;
}

function printArrayAggregate(
    context: PrintContext,
    expr: AggregateExpr,
    operands: readonly Typed[],
    order: string,
    filter: string,
): Typed {
    const [operand] = operands;
    if (operand === undefined || operand.duck.kind === 'list' || operand.duck.kind === 'printed') {
        throw new Unsupported('array_agg of this type');
    }
    const sql = `list(${expr.distinct ? 'DISTINCT ' : ''}${operand.sql}${order})${filter}`;
    return typed(context, sql, listType(operand.duck), expr.type);
}

export function printSortKeys(context: PrintContext, keys: readonly SortKey[]): string {
    return keys.map((key) => sortKey(sortable(printExpression(context, key.expr)), key)).join(', ');
}

export function sortKey(sql: string, key: SortKey): string {
    return `${sql} ${key.descending ? 'DESC' : 'ASC'} NULLS ${key.nullsFirst ? 'FIRST' : 'LAST'}`;
}

function printWindow(context: PrintContext, expr: WindowExpr): Typed {
    const {call} = expr;
    const operands = call.args.map((arg) => printExpression(context, arg));
    const parts: string[] = [];
    if (expr.partitionBy.length > 0) {
        const keys = expr.partitionBy.map((key) => groupable(printExpression(context, key), context.codec).sql);
        parts.push(`PARTITION BY ${keys.join(', ')}`);
    }
    if (expr.orderBy.length > 0) parts.push(`ORDER BY ${printSortKeys(context, expr.orderBy)}`);
    if (expr.frame !== null) {
        const {mode, start, end, exclude} = expr.frame;
        const bounds = `${printBound(context, expr, start)} AND ${printBound(context, expr, end)}`;
        parts.push(
            `${mode.toUpperCase()} BETWEEN ${bounds}${exclude === 'none' ? '' : ` EXCLUDE ${exclude.toUpperCase()}`}`,
        );
    }
    const filter = call.filter === null ? '' : ` FILTER (WHERE ${boolean(printExpression(context, call.filter))})`;
    const over = `${filter} OVER (${parts.join(' ')})`;
    if (call.isAggregate) {
        const entry = aggregateEntry(call, operands);
        return proven(context, entry, operands, expr.type, over);
    }
    const types = operands.map(provenName);
    const entry =
        WINDOW_FUNCTIONS.get(`${call.name}(${types.join(',')})`) ??
        WINDOW_FUNCTIONS.get(`${call.name}(${['*', ...types.slice(1)].join(',')})`);
    if (entry === undefined) throw new Unsupported(`window function ${call.name}(${types.join(',')})`);
    const sql = fill(
        withTail(entry.sql, over),
        operands.map((operand) => operand.sql),
    );
    const [first] = operands;
    // lag, lead and their like hand on the first argument as it is.
    if (entry.sql.includes('$1') && call.name !== 'ntile' && first !== undefined) return {...first, sql};
    return typed(context, sql, duckTypeOf(expr.type, context.codec), expr.type);
}

function printBound(context: PrintContext, expr: WindowExpr, bound: FrameBound): string {
    if (!('offset' in bound)) return bound.kind.toUpperCase();
    if (expr.frame?.mode === 'range') throw new Unsupported('RANGE with an offset');
    return `${printExpression(context, bound.offset).sql} ${bound.kind.toUpperCase()}`;
}

function printCast(context: PrintContext, expr: CastExpr): Typed {
    const arg = printExpression(context, expr.arg);
    const target = context.codec.baseType(expr.type);
    const from = provenName(arg);
    if (expr.arg.kind === 'const' && expr.arg.value === null) return printConstant(context, null, expr.type);
    if (target.oid === OID.numeric) return castToNumeric(arg, from, target);
    const probe: Typed = {sql: '', duck: duckTypeOf(target, context.codec), oid: target.oid};
    const to = provenName(probe);
    if (to === 'opaque' || to === 'bpchar') {
        const sameLength = target.typmod < 0 || expr.arg.type.typmod === expr.type.typmod;
        if (arg.oid === target.oid && sameLength) return arg;
        throw new Unsupported(`a cast to type ${target.oid}`);
    }
    if (
        (to === 'time' || to === 'timestamp' || to === 'timestamptz' || to === 'interval') &&
        target.typmod >= 0 &&
        target.typmod !== 6
    ) {
        throw new Unsupported('a cast to a rounded time');
    }
    let sql: string;
    if (from === to) sql = arg.sql;
    else if (from === 'opaque' && to === 'text' && arg.oid === OID.numeric && arg.duck.kind === 'text') sql = arg.sql;
    else if (from === 'opaque' && to === 'text' && arg.duck.kind === 'text' && context.codec.isEnum(arg.oid))
        sql = arg.sql;
    else {
        const entry = CASTS.get(`${from}>${to}`);
        if (entry === undefined) throw new Unsupported(`a cast from ${from} to ${to}`);
        sql = fill(entry.sql, [arg.sql]);
    }
    if (to === 'text' && target.oid === OID.varchar && target.typmod >= 4) {
        const length = target.typmod - 4;
        if (expr.context !== 'explicit') throw new Unsupported('a length check');
        sql = `left(${sql}, ${length})`;
    }
    if (target.oid === OID.name && arg.oid !== OID.name) throw new Unsupported('a cast to name');
    return {sql: bounded(sql), duck: probe.duck, oid: target.oid};
}

const INTEGER_DIGITS: Readonly<Record<string, number>> = {int2: 5, int4: 10, int8: 19};

function castToNumeric(arg: Typed, from: string, target: TypeRef): Typed {
    const modifier = numericModifier(target.typmod);
    if (modifier === undefined) {
        if (arg.oid === OID.numeric) return arg;
        const digits = INTEGER_DIGITS[from];
        if (digits === undefined) throw new Unsupported(`a cast from ${from} to numeric`);
        const duck = decimalType(digits, 0);
        return {sql: `CAST(${arg.sql} AS ${duck.sql})`, duck, oid: OID.numeric};
    }
    const {precision, scale} = modifier;
    if (precision > 38 || scale < 0 || scale > precision) throw new Unsupported('a numeric of this precision');
    if (from !== 'numeric' && INTEGER_DIGITS[from] === undefined)
        throw new Unsupported(`a cast from ${from} to numeric`);
    const duck = decimalType(precision, scale);
    return {sql: `CAST(${arg.sql} AS ${duck.sql})`, duck, oid: OID.numeric};
}

function printScalarArray(context: PrintContext, expr: ScalarArrayExpr): Typed {
    const negated = expr.op === '<>' && !expr.any;
    if (!negated && !(expr.op === '=' && expr.any))
        throw new Unsupported(`${expr.op} ${expr.any ? 'ANY' : 'ALL'} (array)`);
    const left = printExpression(context, expr.left);
    const not = negated ? 'NOT ' : '';
    const elementOid = context.codec.elementOid(context.codec.baseType(expr.array.type).oid);
    const elementType = duckTypeOf({oid: elementOid, typmod: -1}, context.codec);
    const probe: Typed = {
        sql: '',
        duck: elementOid === OID.numeric ? decimalType(38, 0) : elementType,
        oid: elementOid,
    };
    const [a] = comparable('equality', left, probe, context.codec);
    if (provenName(probe) === 'bpchar') throw new Unsupported('an array of bpchar');
    if (expr.array.kind === 'array') {
        const items = expr.array.elements.map(
            (item) => comparable('equality', left, printExpression(context, item), context.codec)[1],
        );
        return bool(items.length === 0 ? String(negated) : `(${a} ${not}IN (${items.join(', ')}))`);
    }
    if (expr.array.kind === 'const' || expr.array.kind === 'param') {
        const value =
            expr.array.kind === 'const' ? expr.array.value : (context.values.parameters[expr.array.index] ?? null);
        if (value === null) return bool('CAST(NULL AS BOOLEAN)');
        if (typeof value !== 'object' || !('elements' in value)) throw new Unsupported('this array');
        const items =
            elementOid === OID.numeric
                ? value.elements.map((item) => printConstant(context, item, {oid: elementOid, typmod: -1}).sql)
                : listItems(value, listType(elementType));
        return bool(items.length === 0 ? String(negated) : `(${a} ${not}IN (${items.join(', ')}))`);
    }
    throw new Unsupported('a computed array');
}

function printLike(context: PrintContext, expr: LikeExpr): Typed {
    const arg = printExpression(context, expr.arg);
    const pattern = printExpression(context, expr.pattern);
    if (provenName(arg) !== 'text' || provenName(pattern) !== 'text') throw new Unsupported('LIKE on this type');
    const text =
        expr.pattern.kind === 'const' && typeof expr.pattern.value === 'string' ? expr.pattern.value : undefined;
    if (expr.escape !== null) throw new Unsupported('LIKE … ESCAPE');
    const not = expr.negated ? 'NOT ' : '';
    // PostgreSQL's escape is the backslash; DuckDB has none unless told, and is faster without.
    const escape = text?.includes('\\') === false ? '' : " ESCAPE '\\'";
    if (!expr.caseInsensitive) return bool(`(${arg.sql} ${not}LIKE ${pattern.sql}${escape})`);
    const guarded = `(CASE WHEN strlen(${arg.sql}) <> length(${arg.sql}) THEN ${RAISE} ELSE ${arg.sql} END)`;
    if (text === undefined || /[^\x20-\x7e]/.test(text)) throw new Unsupported('ILIKE with this pattern');
    return bool(`(${guarded} ${not}ILIKE ${pattern.sql}${escape})`);
}

function printSubquery(context: PrintContext, expr: SubqueryExpr): Typed {
    const test = expr.test === null ? undefined : printExpression(context, expr.test);
    const query = context.subquery(expr.query);
    switch (expr.form) {
        case 'exists':
            return bool(`(EXISTS (${query.sql}))`);
        case 'scalar': {
            const [column] = query.columns;
            if (column === undefined || query.columns.length !== 1)
                throw new Unsupported('a subquery of several columns');
            return typed(context, `(${query.sql})`, column.duck, expr.type);
        }
        case 'any':
        case 'all': {
            const [column] = query.columns;
            if (test === undefined || column === undefined || query.columns.length !== 1)
                throw new Unsupported('a row comparison');
            const op = expr.op ?? '=';
            if (!isComparison(op)) throw new Unsupported(`${op} ANY (subquery)`);
            const [left] = comparable(op === '=' || op === '<>' ? 'equality' : 'order', test, column, context.codec);
            if (provenName(test) === 'bpchar') throw new Unsupported('bpchar and a subquery');
            return bool(`(${left} ${op} ${expr.form.toUpperCase()} (${query.sql}))`);
        }
        case 'array':
            throw new Unsupported('ARRAY(subquery)');
        default:
            return expr.form satisfies never;
    }
}
