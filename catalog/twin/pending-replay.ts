/**
 * Replays the uncommitted DDL of a session's open transaction before a task of that session, and translates oids: each
 * replay gives the new objects new oids, but the session keeps those it was told first.
 *
 * What must stay true: what a session sees of one object is one oid for the whole transaction, in row descriptions and
 * in parameter types alike. Rows of catalog queries are not translated.
 */
import {quoteIdentifier, quoteLiteral} from '../quoting.ts';
import {textsOfRow} from './backend-messages.ts';
import type {CreatedObject, PendingDdl, SessionContext} from './session-context.ts';
import type {TwinField, TwinResult, TwinTransaction} from './twin-transaction.ts';

export class OidTranslation {
    static readonly none = new OidTranslation(new Map());
    readonly #out: ReadonlyMap<number, number>;
    readonly #in: ReadonlyMap<number, number>;

    /** `out`: from the oid in the twin now to the one the session knows. */
    constructor(out: ReadonlyMap<number, number>) {
        this.#out = out;
        this.#in = new Map([...out].map(([now, known]) => [known, now]));
    }

    /** The oid the session knows. */
    sessionOid(oid: number): number {
        return this.#out.get(oid) ?? oid;
    }

    parametersIn(oids: readonly number[]): readonly number[] {
        return this.#in.size === 0 ? oids : oids.map((oid) => this.#in.get(oid) ?? oid);
    }

    parametersOut(oids: number[]): number[] {
        return this.#out.size === 0 ? oids : oids.map((oid) => this.#out.get(oid) ?? oid);
    }

    fieldsOut(fields: readonly TwinField[] | null): TwinField[] | null {
        if (fields === null) return null;
        return fields.map((field) => ({
            ...field,
            tableOid: this.#out.get(field.tableOid) ?? field.tableOid,
            typeOid: this.#out.get(field.typeOid) ?? field.typeOid,
        }));
    }

    resultOut(result: TwinResult): TwinResult {
        return this.#out.size === 0 ? result : {...result, fields: this.fieldsOut(result.fields)};
    }
}

/** Runs all pending DDL of `context` in the open transaction `t` and returns the translation for what follows. */
export async function replayPending(
    t: TwinTransaction,
    context: SessionContext,
    superuser: string,
): Promise<OidTranslation> {
    if (context.pendingDdl.length === 0) return OidTranslation.none;
    for (const pending of context.pendingDdl) await runPending(t, pending, superuser);
    await t.simple(actAs(context.sessionUser, context.user, context.settings, superuser));
    return translationOf(t, context.pendingDdl.at(-1)?.created ?? []);
}

/** Runs one logged or pending DDL with the user and settings it was first run with. */
export async function runPending(
    t: TwinTransaction,
    pending: Pick<PendingDdl, 'statements' | 'user' | 'settings'>,
    superuser: string,
): Promise<TwinResult[]> {
    const asUser = actAs(pending.user, pending.user, pending.settings, superuser);
    const asSystem = actAs(superuser, superuser, pending.settings, superuser);
    await t.simple(asUser);
    const results: TwinResult[] = [];
    let system = false;
    for (const statement of pending.statements) {
        if (statement.system !== system) await t.simple(statement.system ? asSystem : asUser);
        system = statement.system;
        const statementResults = await t.simple(statement.sql);
        if (!system) results.push(...statementResults);
    }
    return results;
}

export function actAs(
    sessionUser: string,
    user: string,
    settings: ReadonlyMap<string, string>,
    superuser: string,
): string {
    const parts = [`SET LOCAL ROLE NONE`, `SET LOCAL SESSION AUTHORIZATION ${quoteIdentifier(superuser)}`];
    for (const name of DDL_SETTINGS) {
        const value = settings.get(name);
        parts.push(
            value === undefined
                ? `SET LOCAL ${name} TO DEFAULT`
                : `SELECT pg_catalog.tidewire_set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, true)`,
        );
    }
    parts.push(`SET LOCAL SESSION AUTHORIZATION ${quoteIdentifier(sessionUser)}`);
    if (user !== sessionUser) parts.push(`SET LOCAL ROLE ${quoteIdentifier(user)}`);
    return parts.join('; ');
}

/** Settings that the meaning of a DDL text depends on. */
export const DDL_SETTINGS = ['search_path', 'DateStyle', 'IntervalStyle', 'TimeZone'] as const;

async function translationOf(t: TwinTransaction, created: readonly CreatedObject[]): Promise<OidTranslation> {
    if (created.length === 0) return OidTranslation.none;
    const parts = created.map((object) => {
        const name = quoteLiteral(`${quoteIdentifier(object.schema)}.${quoteIdentifier(object.name)}`);
        return object.kind === 'relation'
            ? `(${object.oid}, pg_catalog.to_regclass(${name})::pg_catalog.oid)`
            : `(${object.oid}, pg_catalog.to_regtype(${name})::pg_catalog.oid)`;
    });
    const [result] = await t.simple(`SELECT * FROM (VALUES ${parts.join(', ')}) AS v WHERE column2 IS NOT NULL`);
    const out = new Map<number, number>();
    for (const row of result?.rows ?? []) {
        const [known, now] = textsOfRow(row);
        out.set(Number(now), Number(known));
    }
    return new OidTranslation(out);
}
