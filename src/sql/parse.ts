/**
 * PostgreSQL's own parser (libpg-query), behind a cache bounded in bytes: drivers send the same texts again and again.
 *
 * What must stay true: `loadParser` has resolved before anything is parsed (the composition root awaits it once);
 * trees are shared between callers and never changed; positions in errors are 1-based and in characters, as clients
 * expect, although libpg-query counts from 0 and its tree locations count UTF-8 bytes.
 */
import {hasSqlDetails, loadModule, parseSync} from 'libpg-query';
import {PgError} from '../../catalog/errors.ts';
import type {Node} from './nodes.ts';

export interface ParsedStatement {
    /** The text of this statement alone, without the semicolon. */
    readonly sql: string;
    /** Offset of `sql` in the whole string, in characters (UTF-16 code units). */
    readonly offset: number;
    /** Its locations count the bytes of the whole string, not of `sql`. */
    readonly tree: Node;
}

/** Bytes of statement text plus an estimate of its tree that the cache may hold. */
const CACHE_BYTES_MAX = 16 * 1024 * 1024;
/** Longer texts are parsed each time: bulk inserts do not repeat and would push out what does. */
const CACHED_TEXT_BYTES_MAX = 64 * 1024;
/** Measured: the tree of a text takes about this many times its bytes. */
const TREE_BYTES_PER_TEXT_BYTE = 40;

export function loadParser(): Promise<void> {
    return loadModule();
}

export class StatementParser {
    readonly #cache = new Map<string, readonly ParsedStatement[]>();
    readonly #bytesMax: number;
    #bytes = 0;

    constructor(bytesMax: number = CACHE_BYTES_MAX) {
        this.#bytesMax = bytesMax;
    }

    /** The statements of a query string; none for an empty or comment-only one. Throws PgError 42601. */
    parse(sql: string): readonly ParsedStatement[] {
        const known = this.#cache.get(sql);
        if (known !== undefined) {
            // Move to the end: the Map's order is the order of use.
            this.#cache.delete(sql);
            this.#cache.set(sql, known);
            return known;
        }
        const statements = parseStatements(sql);
        const cost = costOf(sql);
        if (sql.length <= CACHED_TEXT_BYTES_MAX && cost <= this.#bytesMax) {
            this.#cache.set(sql, statements);
            this.#bytes += cost;
            this.#evict();
        }
        return statements;
    }

    get cachedBytes(): number {
        return this.#bytes;
    }

    #evict(): void {
        for (const oldest of this.#cache.keys()) {
            if (this.#bytes <= this.#bytesMax) return;
            this.#cache.delete(oldest);
            this.#bytes -= costOf(oldest);
        }
    }
}

function costOf(sql: string): number {
    return 200 + sql.length * (2 + TREE_BYTES_PER_TEXT_BYTE);
}

interface RawStatement {
    readonly stmt?: Node;
    readonly stmt_location?: number;
    readonly stmt_len?: number;
}

/** Parses without the cache. */
export function parseStatements(sql: string): readonly ParsedStatement[] {
    if (isBlank(sql)) return [];
    const nul = sql.indexOf('\0');
    if (nul >= 0) throw new PgError('22021', 'invalid byte sequence for encoding "UTF8": 0x00');
    let raw: readonly RawStatement[];
    try {
        raw = (parseSync(sql) as {readonly stmts?: readonly RawStatement[]}).stmts ?? [];
    } catch (error) {
        throw syntaxError(error, sql);
    }
    const toCharacters = characterOffsets(sql);
    const statements: ParsedStatement[] = [];
    for (const {stmt, stmt_location: location = 0, stmt_len: length = 0} of raw) {
        if (stmt === undefined) continue;
        const from = toCharacters(location);
        const to = length === 0 ? sql.length : toCharacters(location + length);
        const text = sql.slice(from, to);
        const leading = text.length - text.trimStart().length;
        statements.push({sql: text.trim(), offset: from + leading, tree: stmt});
    }
    return statements;
}

/** Nothing but white space and semicolons: libpg-query refuses '' itself. Comments it handles. */
function isBlank(sql: string): boolean {
    return /^[\s;]*$/.test(sql);
}

function syntaxError(error: unknown, sql: string): PgError {
    if (!hasSqlDetails(error)) return new PgError('XX000', `parser failed: ${String(error)}`, {cause: error});
    const {message, cursorPosition} = error.sqlDetails ?? {message: error.message, cursorPosition: -1};
    // Messages of the scanner and grammar keep PostgreSQL's text; those raised for other reasons have other codes.
    const code = syntaxErrorCode(message);
    const position = cursorPosition >= 0 ? codePoints(sql, cursorPosition) + 1 : undefined;
    return new PgError(code, message, {position, cause: error});
}

function syntaxErrorCode(message: string): string {
    if (/^(memory exhausted|stack depth)/.test(message)) return '54001';
    if (/is not supported|not implemented/.test(message)) return '0A000';
    if (/^invalid Unicode|^invalid byte sequence/.test(message)) return '22021';
    return '42601';
}

/** libpg-query gives the cursor in characters (code points); clients want the same, but 1-based. */
function codePoints(sql: string, cursor: number): number {
    return Math.min(cursor, sql.length);
}

/** UTF-8 byte offset (as in the tree's locations) to UTF-16 offset in the string. Offsets must ascend. */
export function characterOffsets(sql: string): (byteOffset: number) => number {
    if (isAscii(sql)) return (byteOffset) => Math.min(byteOffset, sql.length);
    let bytes = 0;
    let index = 0;
    return (byteOffset) => {
        if (byteOffset < bytes) {
            bytes = 0;
            index = 0;
        }
        while (bytes < byteOffset && index < sql.length) {
            const code = sql.codePointAt(index) ?? 0;
            bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
            index += code < 0x10000 ? 1 : 2;
        }
        return index;
    };
}

/** 1-based position in characters, as an ErrorResponse carries it, of a location in the parse tree. */
export function errorPosition(sql: string, byteLocation: number): number {
    const index = characterOffsets(sql)(byteLocation);
    let characters = 0;
    for (const _ of sql.slice(0, index)) characters++;
    return characters + 1;
}

function isAscii(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
    return true;
}
