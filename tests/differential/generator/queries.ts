/**
 * SELECT statements. Each has one answer: LIMIT comes only with an ORDER BY of every output, and of the window functions
 * only those are used that give the same to rows that tie.
 */
import {EVERY_KIND, expression, type Scope, type ScopeColumn} from './expressions.ts';
import type {Random} from './random.ts';
import {GENERATED_TABLES, type Kind, type Table} from './tables.ts';

/** Kinds that two equal values of which always look alike: results can be ordered by them and compared row by row. */
const ORDERLY: readonly Kind[] = [
    'int',
    'text',
    'bool',
    'date',
    'timestamp',
    'timestamptz',
    'int edge',
    'bigint edge',
    'real edge',
    'date edge',
    'timestamp edge',
    'timestamptz edge',
    'varchar',
    'time',
    'uuid',
    'bytea',
    'int[]',
    'text[]',
    'mood',
];
const SIMPLE: readonly Kind[] = ['int', 'text', 'bool', 'date', 'numeric', 'timestamp'];

interface Source {
    readonly sql: string;
    readonly columns: readonly ScopeColumn[];
}

interface Output {
    readonly sql: string;
    readonly kind: Kind;
}

export class QueryGenerator {
    readonly #random: Random;
    #alias = 0;

    constructor(random: Random) {
        this.#random = random;
    }

    statement(): string {
        this.#alias = 0;
        const random = this.#random;
        const roll = random.next();
        if (roll < 0.1) return this.#setOperation();
        if (roll < 0.18) return this.#withQueries();
        if (roll < 0.22) return this.#recursive();
        return this.#select(random.integer(1, 3), [], 2).sql;
    }

    /** For statements that change rows: expressions over the columns of one table. */
    scopeOf(table: Table, alias: string): Scope {
        return this.#scope(columnsOf(table, alias), 1);
    }

    #scope(columns: readonly ScopeColumn[], depth: number): Scope {
        return {
            columns,
            subquery: (kind, outer, single) =>
                depth <= 0 ? undefined : this.#subquery(kind, outer, single, depth - 1),
        };
    }

    #subquery(kind: Kind, outer: readonly ScopeColumn[], single: boolean, depth: number): string {
        const random = this.#random;
        const source = this.#table();
        const scope = this.#scope([...source.columns, ...(random.chance(0.5) ? outer : [])], depth);
        const where = random.chance(0.7) ? ` where ${expression(random, 'bool', scope, 2)}` : '';
        const value = expression(random, kind, this.#scope(source.columns, 0), 1);
        if (!single) return `(select ${value} from ${source.sql}${where})`;
        if (kind === 'int' && random.chance(0.5)) return `(select count(*)::int from ${source.sql}${where})`;
        if (ORDERLY.includes(kind) && kind !== 'bool') {
            return random.chance(0.5) && kind !== 'uuid' && kind !== 'bytea'
                ? `(select max(${value}) from ${source.sql}${where})`
                : `(select ${value} from ${source.sql}${where} order by 1 limit 1)`;
        }
        return `(select ${value} from ${source.sql}${where} order by 1 limit 1)`;
    }

    #select(
        outputsMin: number,
        outer: readonly ScopeColumn[],
        depth: number,
        kinds?: readonly Kind[],
    ): Output & {readonly kinds: readonly Kind[]} {
        const random = this.#random;
        const source = this.#from(depth);
        const scope = this.#scope([...source.columns, ...outer], depth);
        const where = random.chance(0.6) ? ` where ${expression(random, 'bool', scope, random.integer(1, 3))}` : '';
        const roll = random.next();
        if (kinds === undefined && roll < 0.3) return this.#grouped(source, scope, where);
        const outputs =
            kinds === undefined
                ? random.times(outputsMin, 4, () => this.#output(scope))
                : kinds.map((kind) => ({sql: expression(random, kind, scope, 2), kind}));
        if (kinds === undefined && roll < 0.45) outputs.push(this.#window(scope));
        const list = outputs.map((output, index) => `${output.sql} as c${index}`);
        const shown = outputs.map(({kind}) => kind);
        const distinct = random.chance(0.12);
        if (!distinct && random.chance(0.06)) {
            const order = outputs.map((_, index) => index + 1);
            return {
                sql: `select distinct on (${outputs[0]?.sql ?? '1'}) ${list.join(', ')} from ${source.sql}${where} order by ${[outputs[0]?.sql ?? '1', ...order].join(', ')}`,
                kind: 'int',
                kinds: shown,
            };
        }
        const sql = `select ${distinct ? 'distinct ' : ''}${list.join(', ')} from ${source.sql}${where}${this.#orderAndLimit(shown)}`;
        return {sql, kind: shown[0] ?? 'int', kinds: shown};
    }

    #output(scope: Scope): Output {
        const random = this.#random;
        const own = scope.columns.length > 0 && random.chance(0.6) ? random.pick(scope.columns).kind : undefined;
        const kind = own ?? random.pick(EVERY_KIND);
        return {sql: expression(random, kind, scope, random.integer(0, 3)), kind};
    }

    #grouped(source: Source, scope: Scope, where: string): Output & {readonly kinds: readonly Kind[]} {
        const random = this.#random;
        const keys = random.times(0, 2, () => this.#output(this.#scope(scope.columns, 0)));
        const inner = this.#scope(scope.columns, 0);
        const aggregates = random.times(1, 3, () => this.#aggregate(inner));
        const having = random.chance(0.25)
            ? ` having ${this.#aggregate(inner, 'int').sql} ${random.pick(['>', '<=', '<>'])} ${random.integer(0, 5)}`
            : '';
        const outputs = [...keys, ...aggregates];
        const numbers = keys.map((_, index) => String(index + 1));
        const sets =
            keys.length === 2 && random.chance(0.25)
                ? random.pick([
                      `rollup (${numbers.join(', ')})`,
                      `cube (${numbers.join(', ')})`,
                      `grouping sets ((${numbers.join(', ')}), (${numbers[0]}), ())`,
                  ])
                : numbers.join(', ');
        // Positions are not allowed inside of ROLLUP: the expressions themselves are.
        const groupBy = sets.includes('(')
            ? sets.replaceAll(/\b([12])\b/g, (_, digit: string) => `(${keys[Number(digit) - 1]?.sql ?? '1'})`)
            : sets;
        const kinds = outputs.map(({kind}) => kind);
        const list = outputs.map(({sql}, index) => `${sql} as c${index}`).join(', ');
        const grouping = keys.length === 0 ? '' : ` group by ${groupBy}`;
        return {
            sql: `select ${list} from ${source.sql}${where}${grouping}${having}${this.#orderAndLimit(kinds)}`,
            kind: kinds[0] ?? 'int',
            kinds,
        };
    }

    #aggregate(scope: Scope, wanted?: 'int'): Output {
        const random = this.#random;
        const of = (kind: Kind): string => expression(random, kind, scope, random.integer(0, 2));
        const filter = random.chance(0.2) ? ` filter (where ${of('bool')})` : '';
        const distinct = random.chance(0.25) ? 'distinct ' : '';
        if (wanted === 'int')
            return {
                sql: `${random.pick(['count', 'min', 'max', 'sum'])}(${distinct}${of('int')})${filter}`,
                kind: 'int',
            };
        const kind = random.pick(EVERY_KIND);
        const choices: readonly (() => Output)[] = [
            () => ({sql: `count(*)${filter}`, kind: 'int'}),
            () => ({sql: `count(${distinct}${of(kind)})${filter}`, kind: 'int'}),
            () => ({sql: `sum(${distinct}${of('int')})${filter}`, kind: 'int'}),
            () => ({sql: `sum(${distinct}${of('numeric')})${filter}`, kind: 'numeric'}),
            () => ({sql: `sum(${of('float')})${filter}`, kind: 'float'}),
            () => ({sql: `sum(${distinct}${of('numeric edge')})${filter}`, kind: 'numeric edge'}),
            () => ({sql: `sum(${of('bigint edge')})${filter}`, kind: 'numeric edge'}),
            () => ({sql: `avg(${distinct}${of('int')})${filter}`, kind: 'numeric'}),
            () => ({sql: `avg(${of('numeric')})${filter}`, kind: 'numeric'}),
            () => ({sql: `avg(${of('float')})${filter}`, kind: 'float'}),
            () => ({sql: `sum(${of('interval')})${filter}`, kind: 'interval'}),
            () => ({sql: `bool_and(${of('bool')})${filter}`, kind: 'bool'}),
            () => ({sql: `bool_or(${of('bool')})${filter}`, kind: 'bool'}),
            () => {
                const value = of('text');
                return {sql: `string_agg(${value}, '|' order by ${value})${filter}`, kind: 'text'};
            },
            () => {
                const value = of('int');
                return {
                    sql: `array_agg(${value} order by ${value}${random.pick(['', ' desc', ' nulls first'])})${filter}`,
                    kind: 'int[]',
                };
            },
            () => ({sql: `stddev(${of('int')})${filter}`, kind: 'numeric'}),
            () => ({sql: `var_pop(${of('int')})${filter}`, kind: 'numeric'}),
            () => {
                const value = of('date');
                return {sql: `percentile_disc(0.5) within group (order by ${value})${filter}`, kind: 'date'};
            },
            () => {
                const chosen = random.pick([
                    'int',
                    'numeric',
                    'float',
                    'text',
                    'date',
                    'timestamp',
                    'timestamptz',
                    'interval',
                    'bigint edge',
                    'numeric edge',
                    'float edge',
                    'date edge',
                    'timestamp edge',
                    'time',
                    'mood',
                ] as const);
                return {sql: `${random.pick(['min', 'max'])}(${of(chosen)})${filter}`, kind: chosen};
            },
        ];
        return random.pick(choices)();
    }

    #window(scope: Scope): Output {
        const random = this.#random;
        const inner = this.#scope(scope.columns, 0);
        const partition = random.chance(0.5)
            ? `partition by ${expression(random, random.pick(['int', 'text', 'bool'] as const), inner, 1)} `
            : '';
        const ordering = random.pick(['int', 'text', 'date', 'timestamp'] as const);
        const key = expression(random, ordering, inner, 1);
        const direction = random.pick(['', ' desc', ' nulls first', ' desc nulls last']);
        const peers = `(${partition}order by ${key}${direction})`;
        const frame = random.pick([
            'groups between 1 preceding and current row',
            'range between current row and unbounded following',
            'groups between unbounded preceding and 1 following',
        ]);
        const value = expression(random, 'int', inner, 1);
        const choices: readonly Output[] = [
            {sql: `rank() over ${peers}`, kind: 'int'},
            {sql: `dense_rank() over ${peers}`, kind: 'int'},
            {sql: `percent_rank() over ${peers}`, kind: 'float'},
            {sql: `cume_dist() over ${peers}`, kind: 'float'},
            {sql: `count(*) over ${peers}`, kind: 'int'},
            {sql: `sum(${value}) over ${peers}`, kind: 'int'},
            {sql: `sum(${value}) over (${peers.slice(1, -1)} ${frame})`, kind: 'int'},
            // What is shown is what is ordered by: rows that tie show the same.
            {sql: `first_value(${key}) over ${peers}`, kind: ordering},
            {sql: `max(${key}) over (${partition.trim()})`, kind: ordering},
        ];
        return random.pick(choices);
    }

    #table(): Source {
        const table = this.#random.pick(GENERATED_TABLES);
        const alias = `x${this.#alias++}`;
        return {sql: `${table.name} as ${alias}`, columns: columnsOf(table, alias)};
    }

    #source(depth: number): Source {
        const random = this.#random;
        if (depth <= 0 || random.chance(0.8)) return this.#table();
        if (random.chance(0.15)) {
            const alias = `x${this.#alias++}`;
            return {
                sql: `generate_series(1, ${random.integer(0, 4)}) as ${alias}(g)`,
                columns: [{reference: `${alias}.g`, kind: 'int'}],
            };
        }
        const kinds = random.times(1, 3, () => random.pick(SIMPLE));
        const inner = this.#select(1, [], depth - 1, kinds);
        const alias = `x${this.#alias++}`;
        return {
            sql: `(${inner.sql}) as ${alias}`,
            columns: kinds.map((kind, index) => ({reference: `${alias}.c${index}`, kind})),
        };
    }

    #from(depth: number): Source {
        const random = this.#random;
        let from = this.#source(depth);
        for (let joins = random.pick([0, 0, 0, 1, 1, 2]); joins > 0; joins--) {
            const right = this.#source(depth);
            const columns = [...from.columns, ...right.columns];
            const join = random.pick(['join', 'join', 'left join', 'right join', 'full join', 'cross join']);
            if (join === 'cross join') {
                from = {sql: `${from.sql} cross join ${right.sql}`, columns};
                continue;
            }
            const pairs = from.columns.flatMap((left) =>
                right.columns
                    .filter(({kind}) => kind === left.kind)
                    .map((other) => `${left.reference} = ${other.reference}`),
            );
            const equal = pairs.length > 0 ? random.pick(pairs) : 'true';
            const extra =
                join !== 'full join' && random.chance(0.3)
                    ? ` and ${expression(random, 'bool', this.#scope(columns, 0), 1)}`
                    : '';
            from = {sql: `${from.sql} ${join} ${right.sql} on ${equal}${extra}`, columns};
        }
        return from;
    }

    #setOperation(): string {
        const random = this.#random;
        const kinds = random.times(1, 3, () =>
            random.pick(EVERY_KIND.filter((kind) => kind !== 'char' && kind !== 'varchar')),
        );
        const branches = random.times(2, 3, () => `(${this.#select(1, [], 1, kinds).sql})`);
        const operator = random.pick(['union', 'union all', 'intersect', 'except', 'intersect all', 'except all']);
        return `${branches.join(` ${operator} `)}${this.#orderAndLimit(kinds)}`;
    }

    #withQueries(): string {
        const random = this.#random;
        const kinds = random.times(2, 3, () => random.pick(SIMPLE));
        const query = this.#select(1, [], 1, kinds);
        const columns = kinds.map((kind, index) => ({reference: `w.c${index}`, kind}));
        const scope = this.#scope(columns, 0);
        const outputs = random.times(1, 3, () => this.#output(scope));
        const materialized = random.pick(['', '', ' materialized', ' not materialized']);
        const where = random.chance(0.5) ? ` where ${expression(random, 'bool', scope, 2)}` : '';
        return `with w as${materialized} (${query.sql}) select ${outputs.map(({sql}, index) => `${sql} as c${index}`).join(', ')} from w${where}${this.#orderAndLimit(outputs.map(({kind}) => kind))}`;
    }

    #recursive(): string {
        const random = this.#random;
        const step = random.pick(['union', 'union all']);
        const end = random.integer(1, 20);
        const table = this.#table();
        const joined = random.chance(0.5) && table.columns.some(({kind}) => kind === 'int');
        const int = table.columns.find(({kind}) => kind === 'int')?.reference ?? '1';
        const from = joined ? `r left join ${table.sql} on ${int} = r.n` : 'r';
        return `with recursive r(n, s) as (select ${random.integer(0, 3)}, 'a' ${step} select n + 1, s || n::text from r where n < ${end}) select r.n, r.s, count(*) from ${from} group by r.n, r.s order by 1, 2`;
    }

    #orderAndLimit(kinds: readonly Kind[]): string {
        const random = this.#random;
        if (!kinds.every((kind) => ORDERLY.includes(kind))) return '';
        if (!random.chance(0.4)) return '';
        const keys = random.some(
            kinds.map((_, index) => index + 1),
            kinds.length,
        );
        const order = ` order by ${keys.map((key) => `${key}${random.pick(['', '', ' asc', ' desc', ' nulls first', ' desc nulls last'])}`).join(', ')}`;
        if (random.chance(0.5)) return order;
        return `${order} limit ${random.integer(0, 8)}${random.chance(0.3) ? ` offset ${random.integer(0, 4)}` : ''}`;
    }
}

export function columnsOf(table: Table, alias: string): ScopeColumn[] {
    return table.columns.map(({name, kind}) => ({reference: `${alias}.${name}`, kind}));
}
