/**
 * Takes our own options out of CREATE TABLE and ALTER TABLE and writes the catalog updates that put them into
 * pg_class.reloptions, where `\d+` and every tool look for the options of a table.
 *
 * What must stay true: PostgreSQL validates reloptions only when they are set, not when they are read; so ours are taken
 * out before an ALTER TABLE that sets standard ones, and put back after it. The relation is found with the session's
 * own search path and rights; only the update of the catalog has the server's.
 */
import type {TableKind} from '../descriptor.ts';
import {PgError} from '../errors.ts';
import {quoteIdentifier, quoteLiteral} from '../quoting.ts';
import {LOCAL_STORAGE} from '../storages.ts';
import type {TwinStatement} from '../twin/session-context.ts';
import {type AstFields, type RelationName, nodesOf, numberOf, relationOf, textOf, valueText} from './ast.ts';
import type {StatementText} from './statement-text.ts';
import {TABLE_OPTION_NAMES, type TableOptionName, normaliseOption, ownOptionName} from './table-options.ts';

const OURS = `'{${TABLE_OPTION_NAMES.join(',')}}'::text[]`;

export class OptionEdits {
    readonly #text: StatementText;
    readonly #set = new Map<TableOptionName, string>();
    readonly #reset = new Set<TableOptionName>();
    #relation: RelationName | undefined;
    #mode: 'none' | 'create' | 'alter' = 'none';

    constructor(text: StatementText) {
        this.#text = text;
    }

    get storages(): string[] {
        const storage = this.#set.get('storage');
        return storage === undefined ? [] : [storage];
    }

    createTable(stmt: AstFields, kind: TableKind | undefined): void {
        this.#relation = relationOf(stmt, 'relation');
        if (kind !== undefined) this.#set.set('type', kind);
        this.#takeOptions(nodesOf(stmt, 'options'), 'WITH');
        const tablespace = textOf(stmt, 'tablespacename');
        if (tablespace !== undefined) this.#takeTablespace(tablespace);
        if (this.#set.get('type') === 'stream' && !this.#set.has('ttl')) {
            throw new PgError('22023', 'a stream table needs a time to live', {hint: "Add WITH (ttl = '30 seconds')."});
        }
        if (this.#set.size > 0) this.#mode = 'create';
    }

    alterTable(stmt: AstFields): void {
        this.#relation = relationOf(stmt, 'relation');
        for (const {fields: command} of nodesOf(stmt, 'cmds')) {
            const subtype = textOf(command, 'subtype');
            if (subtype === 'AT_SetTableSpace') {
                this.#setStorage(textOf(command, 'name') ?? '', 'TABLESPACE');
                this.#replaceTablespaceCommand();
            }
            if (subtype !== 'AT_SetRelOptions' && subtype !== 'AT_ResetRelOptions') continue;
            // Standard options too: PostgreSQL refuses to set one beside ours.
            this.#mode = 'alter';
            if (subtype === 'AT_SetRelOptions') this.#takeOptions(nodesOf(command, 'def'), 'SET');
            else this.#takeOptions(nodesOf(command, 'def'), 'RESET');
        }
        if (this.#set.has('type')) {
            throw new PgError('0A000', 'changing the type of a table is not supported', {
                hint: 'Create another table and copy the rows: INSERT INTO … SELECT.',
            });
        }
        if (this.#reset.has('type')) throw new PgError('0A000', 'changing the type of a table is not supported');
    }

    /** What the twin runs, in order. */
    statements(): TwinStatement[] {
        const statement = {sql: this.#text.edited(), system: false};
        if (this.#mode === 'none' || this.#relation === undefined) return [statement];
        if (this.#mode === 'create') return [statement, {sql: this.#afterCreate(this.#relation), system: true}];
        return [
            {sql: resolveSql(this.#relation), system: false},
            {sql: takeOutSql(), system: true},
            statement,
            {sql: this.#putBackSql(), system: true},
        ];
    }

    #takeOptions(options: readonly {fields: AstFields}[], clause: 'WITH' | 'SET' | 'RESET'): void {
        const text = this.#text;
        const own: boolean[] = [];
        for (const {fields} of options) own.push(this.#takeOption(fields, clause === 'RESET'));
        if (!own.includes(true)) return;
        const first = text.tokenAt(numberOf(options[0]?.fields ?? {}, 'location'));
        const open = first - 1;
        const close = text.closing(open);
        if (!own.includes(false)) {
            // Nothing is left: the clause goes, or becomes one that changes nothing but still asks for ownership.
            text.blankTokens(open - 1, close, clause === 'WITH' ? '' : 'RESET (user_catalog_table)');
            return;
        }
        for (const [index, {fields}] of options.entries()) {
            if (own[index] !== true) continue;
            const start = text.tokenAt(numberOf(fields, 'location'));
            const end = text.endOfItem(start);
            // The comma before goes with it, unless all before are gone too: then the comma behind.
            if (own.slice(0, index).includes(false)) text.blankTokens(start - 1, end);
            else text.blankTokens(start, end + 1);
        }
    }

    /** True when the option is ours. */
    #takeOption(option: AstFields, reset: boolean): boolean {
        const name = textOf(option, 'defname') ?? '';
        const namespace = textOf(option, 'defnamespace');
        if (namespace === 'toast') return false;
        const own = ownOptionName(name, this.#text.position(numberOf(option, 'location')));
        if (own === undefined) return false;
        if (reset) {
            this.#reset.add(own);
            return true;
        }
        const value = option['arg'] === undefined ? undefined : valueText(option['arg']);
        const normalised = normaliseOption(own, name, value);
        const known = this.#set.get(own);
        if (known !== undefined && known !== normalised) {
            throw new PgError('22023', `parameter "${name}" specified more than once`);
        }
        this.#set.set(own, normalised);
        return true;
    }

    #setStorage(tablespace: string, clause: string): void {
        const storage = tablespace === 'pg_default' ? LOCAL_STORAGE : tablespace;
        if (this.#set.has('storage') && this.#set.get('storage') !== storage) {
            throw new PgError('22023', `${clause} and the parameter "storage" contradict each other`);
        }
        this.#set.set('storage', storage);
        this.#mode = 'alter';
    }

    #takeTablespace(name: string): void {
        this.#setStorage(name, 'TABLESPACE');
        const index = this.#text.tokens.findLastIndex((token) => token.text.toLowerCase() === 'tablespace');
        this.#text.blankTokens(index, index + 1);
    }

    #replaceTablespaceCommand(): void {
        const text = this.#text;
        const index = text.tokens.findIndex((token, at) => at > 2 && token.text.toLowerCase() === 'tablespace');
        text.blankTokens(index - 1, index + 1, 'RESET (user_catalog_table)');
    }

    #options(): string {
        const texts = [...this.#set].map(([name, value]) => quoteLiteral(`${name}=${value}`));
        return `ARRAY[${texts.join(', ')}]::text[]`;
    }

    /** The row is new in this transaction; with IF NOT EXISTS and an old table there is none. */
    #afterCreate(relation: RelationName): string {
        return (
            `UPDATE pg_catalog.pg_class SET reloptions = coalesce(reloptions, '{}') || ${this.#options()} ` +
            `WHERE relname = ${quoteLiteral(relation.name)} AND relkind = 'r' ` +
            `AND xmin = pg_catalog.pg_current_xact_id()::xid AND oid = (SELECT max(oid) FROM pg_catalog.pg_class ` +
            `WHERE relname = ${quoteLiteral(relation.name)} AND relkind = 'r' ` +
            `AND xmin = pg_catalog.pg_current_xact_id()::xid)`
        );
    }

    #putBackSql(): string {
        const gone = [...this.#set.keys(), ...this.#reset].map((name) => quoteLiteral(name)).join(', ');
        return (
            `UPDATE pg_catalog.pg_class SET reloptions = nullif(coalesce(reloptions, '{}') || ` +
            `ARRAY(SELECT o FROM unnest(pg_catalog.current_setting('tidewire.options')::text[]) o ` +
            `WHERE split_part(o, '=', 1) <> ALL (ARRAY[${gone}]::text[])) || ${this.#options()}, '{}') ` +
            `WHERE oid = pg_catalog.current_setting('tidewire.relation')::oid`
        );
    }
}

/** Remembers the relation's oid; 0 when there is none (the statement itself then says so). */
function resolveSql(relation: RelationName): string {
    const name = quoteIdentifier(relation.name);
    const qualified = relation.schema === undefined ? name : `${quoteIdentifier(relation.schema)}.${name}`;
    const oid = `coalesce(pg_catalog.to_regclass(${quoteLiteral(qualified)})::oid, 0)::text`;
    return `SELECT pg_catalog.set_config('tidewire.relation', ${oid}, true)`;
}

function takeOutSql(): string {
    const relation = `oid = pg_catalog.current_setting('tidewire.relation')::oid`;
    return (
        `SELECT pg_catalog.tidewire_set_config('tidewire.options', coalesce((SELECT ARRAY(SELECT o FROM ` +
        `unnest(reloptions) o WHERE split_part(o, '=', 1) = ANY (${OURS}))::text FROM pg_catalog.pg_class ` +
        `WHERE ${relation}), '{}'), true); ` +
        `UPDATE pg_catalog.pg_class SET reloptions = nullif(ARRAY(SELECT o FROM unnest(reloptions) o ` +
        `WHERE split_part(o, '=', 1) <> ALL (${OURS})), '{}') WHERE ${relation} AND relkind = 'r'`
    );
}
