/**
 * INSERT, UPDATE and DELETE. Each has one outcome: an UPDATE … FROM meets at most one row, and keys never move onto
 * each other in an order that matters.
 */
import {expression, type Scope} from './expressions.ts';
import type {QueryGenerator} from './queries.ts';
import type {Random} from './random.ts';
import {type Column, columnValue, GENERATED_TABLES, type Table} from './tables.ts';

export class ChangeGenerator {
    readonly #random: Random;
    readonly #queries: QueryGenerator;

    constructor(random: Random, queries: QueryGenerator) {
        this.#random = random;
        this.#queries = queries;
    }

    statement(): string {
        const table = this.#random.pick(GENERATED_TABLES);
        const roll = this.#random.next();
        if (roll < 0.45) return this.insert(table);
        return roll < 0.8 ? this.#update(table) : this.#delete(table);
    }

    insert(table: Table, rowsMax = 4): string {
        const random = this.#random;
        const columns = table.columns.filter((column) => column.notNull === true || random.chance(0.8));
        const names = columns.map(({name}) => name).join(', ');
        if (rowsMax <= 4 && random.chance(0.15))
            return `insert into ${table.name} (${names}) ${this.#sourceOf(table, columns)}${this.#conflict(table)}${this.#returning(table, table.name)}`;
        const row = (): string =>
            `(${columns.map((column) => (column.notNull !== true && random.chance(0.05) ? 'default' : columnValue(random, column))).join(', ')})`;
        return `insert into ${table.name} (${names}) values ${random.times(1, rowsMax, row).join(', ')}${this.#conflict(table)}${this.#returning(table, table.name)}`;
    }

    /** Rows of the table itself, under new keys. */
    #sourceOf(table: Table, columns: readonly Column[]): string {
        const random = this.#random;
        const scope = this.#queries.scopeOf(table, 'o');
        const values = columns.map(({name}) => {
            if (name === 'id' || name === 'q' || name === 'p') return `o.${name} + ${random.integer(50, 500)}`;
            return `o.${name}`;
        });
        return `select ${values.join(', ')} from ${table.name} as o where ${expression(random, 'bool', scope, 1)}`;
    }

    #conflict(table: Table): string {
        const random = this.#random;
        const [key] = table.uniqueKeys.length === 0 ? [] : random.some(table.uniqueKeys, 1);
        if (key === undefined || random.chance(0.35)) return random.chance(0.3) ? ' on conflict do nothing' : '';
        const target = ` on conflict (${key.join(', ')})`;
        if (random.chance(0.35)) return `${target} do nothing`;
        const scope: Scope = {...this.#queries.scopeOf(table, table.name)};
        const excluded = this.#queries.scopeOf(table, 'excluded').columns;
        const both: Scope = {columns: [...scope.columns, ...excluded], subquery: () => undefined};
        const where = random.chance(0.3) ? ` where ${expression(random, 'bool', both, 1)}` : '';
        return `${target} do update set ${this.#assignments(table, both).join(', ')}${where}`;
    }

    #assignments(table: Table, scope: Scope): string[] {
        const random = this.#random;
        const keys = new Set(table.uniqueKeys.flat());
        const free = table.columns.filter(({name}) => !keys.has(name));
        return random.some(free, random.integer(1, 3)).map((column) => {
            if (column.notNull !== true && random.chance(0.05)) return `${column.name} = default`;
            if (random.chance(0.3)) return `${column.name} = ${columnValue(random, column)}`;
            return `${column.name} = ${expression(random, column.kind, scope, 2)}`;
        });
    }

    #update(table: Table): string {
        const random = this.#random;
        const scope = this.#queries.scopeOf(table, 'z');
        const assignments = this.#assignments(table, scope);
        const key = table.columns.find(({name}) => name === 'id' || name === 'q' || name === 'p');
        if (key !== undefined && random.chance(0.12))
            assignments.push(`${key.name} = ${key.name} + ${random.pick([1000, 2000, 3000])}`);
        const where = this.#where(table, scope);
        if (table.name === 'g_bag' && random.chance(0.3)) {
            return `update g_bag as z set a = w.id from g_wide as w where w.id = z.a and ${expression(random, 'bool', scope, 1)}${this.#returning(table, 'z')}`;
        }
        return `update ${table.name} as z set ${assignments.join(', ')}${where}${this.#returning(table, 'z')}`;
    }

    #delete(table: Table): string {
        const random = this.#random;
        const scope = this.#queries.scopeOf(table, 'z');
        if (random.chance(0.1)) {
            return `delete from ${table.name} as z using g_bag as w where z.${table.columns.some(({name}) => name === 'a') ? 'a' : 'p'} = w.a and w.o${this.#returning(table, 'z')}`;
        }
        const where = this.#where(table, scope);
        // Tables that are always empty find nothing.
        return where === ''
            ? `delete from ${table.name} as z where false${this.#returning(table, 'z')}`
            : `delete from ${table.name} as z${where}${this.#returning(table, 'z')}`;
    }

    #where(table: Table, scope: Scope): string {
        const random = this.#random;
        if (table.columns[0]?.name === 'id' && random.chance(0.4)) {
            return random.chance(0.5)
                ? ` where z.id = ${random.integer(1, 60)}`
                : ` where z.id in (${random.times(1, 4, () => String(random.integer(1, 60))).join(', ')})`;
        }
        if (table.name === 'g_pair' && random.chance(0.3)) {
            return random.chance(0.5)
                ? ` where z.q = ${random.integer(1, 100)}`
                : ` where z.k = 'a' and z.p = ${random.integer(0, 5)}`;
        }
        const narrow = random.chance(0.7) ? ` and ${expression(random, 'bool', scope, 1)}` : '';
        return random.chance(0.92) ? ` where ${expression(random, 'bool', scope, 2)}${narrow}` : '';
    }

    #returning(table: Table, alias: string): string {
        const random = this.#random;
        if (random.chance(0.5)) return '';
        if (random.chance(0.5)) return ` returning ${alias}.*`;
        const scope = this.#queries.scopeOf(table, alias);
        const plain: Scope = {columns: scope.columns, subquery: () => undefined};
        return ` returning ${expression(random, random.pick(table.columns).kind, plain, 2)} as r`;
    }
}
