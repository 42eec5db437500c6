/**
 * KalamDB's spellings of table DDL, which PostgreSQL's grammar does not parse, put into the native spelling: CREATE
 * USER | SHARED | STREAM TABLE, ALTER TABLE … SET TBLPROPERTIES (…), ALTER TABLE … SET STORAGE_ID 'x'.
 *
 * What must stay true: a text that PostgreSQL parses is returned as it is; otherwise the text keeps its length and
 * its tokens their places, so positions in errors stay right (except for SET STORAGE_ID, which grows behind itself).
 */
import type {TableKind} from '../descriptor.ts';
import {StatementText} from './statement-text.ts';

export interface NativeSpelling {
    readonly sql: string;
    /** From CREATE USER | SHARED | STREAM TABLE. */
    readonly kind: TableKind | undefined;
}

/** Cheap test before any scanning: DDL of tables only. */
const MAYBE =
    /^(?:\s|--[^\n]*\n|\/\*.*?\*\/)*(?:create\s+(?:user|shared|stream)\s+table|alter\s+table\b[^]*\bset\s+(?:tblproperties|storage_id|ttl_seconds|flush_policy))\b/isu;

const CLAUSES: readonly string[] = ['storage_id', 'ttl_seconds', 'flush_policy'];

export function nativeSpelling(sql: string): NativeSpelling {
    if (!MAYBE.test(sql)) return {sql, kind: undefined};
    const text = new StatementText(sql);
    if (text.tokenText(0) === 'create') {
        const kind = text.tokenText(1) as TableKind;
        text.blankTokens(1, 1);
        return {sql: text.edited(), kind};
    }
    for (let index = 2; index < text.tokens.length; index++) {
        if (text.tokenText(index) !== 'set') continue;
        const next = text.tokenText(index + 1);
        if (next === 'tblproperties' && text.tokenText(index + 2) === '(') text.blankTokens(index + 1, index + 1);
        else if (CLAUSES.includes(next)) {
            const valueAt = text.tokenText(index + 2) === '=' ? index + 3 : index + 2;
            const value = text.tokens[valueAt]?.text ?? '';
            text.blankTokens(index + 1, valueAt, `(${next} = ${value})`);
        }
    }
    return {sql: text.edited(), kind: undefined};
}
