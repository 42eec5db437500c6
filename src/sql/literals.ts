/**
 * A scanner for the simple protocol: takes plain literals out of simple one-statement texts, so that
 * `… where aid = 123` and `… where aid = 456` share one plan. It replaces a parse by one pass over the text.
 *
 * Which literals may become parameters without changing what the statement means:
 * - an integer literal, as a parameter of the type that its size gives it (int4 or int8; larger ones are numeric and
 *   stay). Operator resolution sees the same type, so nothing else changes;
 * - a plain quoted literal, as a parameter of type unknown. PostgreSQL resolves an unknown literal and an unknown
 *   parameter by the same rules (its type comes from its context), with two differences, both refused by the binder on
 *   this template, after which the caller binds the original text: a parameter that no context types, and one that
 *   `any` arguments take. The caller reads the text with the input function of the type that the binder found.
 * The template carries the class of each (`$1:int4`, `$1:unknown`), so that texts whose literals differ in class do not
 * share a plan; `parameterTypes` is what the binder is to be given, and `statement` what the parser is to read.
 *
 * Which stay as they are: anything after ORDER BY, GROUP BY, LIMIT or OFFSET (positions, and limits that a plan is
 * chosen by), numbers with a point or exponent, the minus sign of a negative number (`-5` is one constant to
 * PostgreSQL: it stays whole), literals that are cast (`'x'::date`) or typed (`date 'x'`, `interval '1 day'`: any
 * word other than a known keyword or operator before a quote), and literals in the select list of a query, where an
 * untyped one is a column of its own and its text may name nothing.
 *
 * What must stay true: undefined for anything odd (comments, dollar quotes, escape, bit, national and Unicode strings,
 * parameters, backslashes, a second statement, non-ASCII outside of strings, subqueries, words that open another
 * clause's rules). Two texts with one template differ in nothing but the values given back.
 */

export interface NormalisedStatement {
    /** Key of the plan: the text with `$n:class` in place of literals. */
    readonly template: string;
    /** The literals as written, without quotes. */
    readonly parameters: readonly string[];
    /** The template as SQL, and the parameter types (0 = unknown) to bind it with. Made on demand: only for new templates. */
    statement(): {readonly sql: string; readonly parameterTypes: readonly number[]};
}

/** Longer texts do not repeat enough to be worth it. */
const TEXT_LENGTH_MAX = 2000;
const PARAMETERS_MAX = 64;
const INT4 = 23;
const INT8 = 20;
const UNKNOWN = 0;
const INT4_MAX = 2_147_483_647;
/** Digits that surely fit int8. */
const INT8_DIGITS_MAX = 18;

/** Character classes: 0 other (refuse), 1 blank, 2 word start, 3 digit, 4 quote, 5 double quote, 6 sign, 7 operator. */
const CLASS = new Uint8Array(128);
for (const code of [9, 10, 13, 32]) CLASS[code] = 1;
for (let code = 97; code <= 122; code++) CLASS[code] = CLASS[code - 32] = 2;
CLASS[95] = 2;
for (let code = 48; code <= 57; code++) CLASS[code] = 3;
CLASS[39] = 4;
CLASS[34] = 5;
for (const sign of '(),.*=<>+-%!') CLASS[sign.charCodeAt(0)] = 6;

/** After one of these words a literal may follow as a value. */
const BEFORE_VALUE = new Set([
    'where',
    'and',
    'or',
    'not',
    'values',
    'in',
    'between',
    'like',
    'ilike',
    'set',
    'when',
    'then',
    'else',
]);
/** From here on literals stay: positions and limits. */
const STOPS = new Set(['order', 'group', 'limit', 'offset', 'fetch', 'returning', 'having', 'for']);
/** Statements with these are left alone. */
const REFUSED = new Set([
    'union',
    'intersect',
    'except',
    'with',
    'window',
    'over',
    'case',
    'cast',
    'interval',
    'array',
    'row',
    'distinct',
    'conflict',
    'using',
    'collate',
    'escape',
    'similar',
    'default',
    'exists',
    'any',
    'all',
    'some',
    'is',
    'uescape',
]);

const PART = {start: 0, selectList: 1, body: 2, tail: 3} as const;

type Before = 'none' | 'word' | 'value' | 'operator' | 'open' | 'other';

/** undefined when the text is not simple enough. */
export function normalise(sql: string): NormalisedStatement | undefined {
    const length = sql.length;
    if (length > TEXT_LENGTH_MAX) return undefined;
    const first = sql.charCodeAt(0) | 32;
    // select, insert, update, delete; with(out) leading blanks nothing is lost by refusing.
    if (first !== 115 && first !== 105 && first !== 117 && first !== 100) return undefined;
    let state: number = PART.start;
    let template = '';
    let copied = 0;
    let parameters: string[] | undefined;
    /** What came before: decides whether a literal is a value, part of a sign, or a typed literal. */
    let before = 'none' as Before;
    let at = 0;
    while (at < length) {
        const code = sql.charCodeAt(at);
        const kind = code < 128 ? CLASS[code] : 0;
        if (kind === 1) {
            at++;
        } else if (kind === 2) {
            const from = at;
            at++;
            while (at < length && isWordPart(sql.charCodeAt(at))) at++;
            // E'…', B'…', X'…', N'…' and U&'…'
            if (sql.charCodeAt(at) === 39 || sql.charCodeAt(at) === 38) return undefined;
            const word = sql.slice(from, at);
            const next = wordKind(word);
            if (next === 'refuse') return undefined;
            if (state === PART.start) {
                const verb = word.toLowerCase();
                if (verb !== 'select' && verb !== 'insert' && verb !== 'update' && verb !== 'delete') return undefined;
                state = verb === 'select' ? PART.selectList : PART.body;
            } else if (next === 'select') {
                return undefined;
            } else if (next === 'stop') {
                state = PART.tail;
            } else if (next === 'from' && state === PART.selectList) {
                state = PART.body;
            }
            before = next === 'value' ? 'value' : 'word';
        } else if (kind === 3) {
            const from = at;
            let big = 0;
            while (at < length && (big = sql.charCodeAt(at)) >= 48 && big <= 57) at++;
            // 1.5, 1e5, 0x1F, 1_000, 1abc
            if (at < length && (sql.charCodeAt(at) === 46 || isWordPart(sql.charCodeAt(at)))) return undefined;
            const digits = at - from;
            const isValue = state === PART.body && (before === 'operator' || before === 'open' || before === 'value');
            if (isValue && digits <= INT8_DIGITS_MAX && sql.charCodeAt(at) !== 58) {
                const text = sql.slice(from, at);
                parameters ??= [];
                if (parameters.push(text) > PARAMETERS_MAX) return undefined;
                const isInt4 = digits < 10 || (digits === 10 && Number(text) <= INT4_MAX);
                template += sql.slice(copied, from) + `$${parameters.length}:${isInt4 ? 'int4' : 'int8'}`;
                copied = at;
            } else if (sql.charCodeAt(at) === 58) {
                return undefined;
            }
            before = 'other';
        } else if (kind === 4) {
            const end = quoteEnd(sql, at + 1);
            if (end < 0) return undefined;
            const after = nextCode(sql, end + 1);
            // 'a' 'b' on two lines is one literal; 'x'::type keeps its literal, so the text is left alone.
            if (after === 39 || after === 58) return undefined;
            const isValue = state === PART.body && (before === 'operator' || before === 'open' || before === 'value');
            if (isValue) {
                const raw = sql.slice(at + 1, end);
                parameters ??= [];
                if (parameters.push(raw.includes("''") ? raw.replaceAll("''", "'") : raw) > PARAMETERS_MAX) {
                    return undefined;
                }
                template += sql.slice(copied, at) + `$${parameters.length}:unknown`;
                copied = end + 1;
            } else if (before === 'word') {
                // A typed literal: date '2020-01-01'.
                return undefined;
            }
            at = end + 1;
            before = 'other';
        } else if (kind === 5) {
            const end = sql.indexOf('"', at + 1);
            if (end < 0 || sql.charCodeAt(end + 1) === 34) return undefined;
            at = end + 1;
            before = 'word';
        } else if (kind === 6) {
            if (code === 45 || code === 43) {
                // A comment, or a sign that belongs to the number after it.
                if (code === 45 && sql.charCodeAt(at + 1) === 45) return undefined;
                const isBinary: boolean = before === 'other' || before === 'word';
                before = isBinary ? 'operator' : 'none';
            } else if (code === 40 || code === 44) {
                before = 'open';
            } else if (code === 41 || code === 46) {
                before = 'other';
            } else if (code === 42) {
                before = before === 'word' || before === 'other' ? 'operator' : 'other';
            } else {
                before = 'operator';
            }
            at++;
        } else if (code === 59) {
            if (nextCode(sql, at + 1) !== -1) return undefined;
            at = length;
        } else {
            return undefined;
        }
    }
    if (parameters === undefined) return undefined;
    const key = template + sql.slice(copied);
    return {template: key, parameters, statement: () => statementOf(key)};
}

function isWordPart(code: number): boolean {
    return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95;
}

type WordKind = 'plain' | 'value' | 'stop' | 'refuse' | 'from' | 'select';

/** Words by their own spelling: a lookup of a word seen before takes no allocation. */
const WORD_KINDS = new Map<string, WordKind>();
/** The cache of word kinds holds names of tables and columns too, so it is bounded. */
const WORDS_MAX = 4096;

function wordKind(word: string): WordKind {
    const known = WORD_KINDS.get(word);
    if (known !== undefined) return known;
    const lower = word.toLowerCase();
    const kind: WordKind = REFUSED.has(lower)
        ? 'refuse'
        : STOPS.has(lower)
          ? 'stop'
          : BEFORE_VALUE.has(lower)
            ? 'value'
            : lower === 'from'
              ? 'from'
              : lower === 'select'
                ? 'select'
                : 'plain';
    if (WORD_KINDS.size < WORDS_MAX) WORD_KINDS.set(word, kind);
    return kind;
}

/** Index of the closing quote; -1 when there is none or a backslash makes it depend on a setting. */
function quoteEnd(sql: string, from: number): number {
    for (let at = from; at < sql.length; at++) {
        const code = sql.charCodeAt(at);
        if (code === 92 || code === 0) return -1;
        if (code !== 39) continue;
        if (sql.charCodeAt(at + 1) !== 39) return at;
        at++;
    }
    return -1;
}

/** The next character that is no blank; -1 at the end. */
function nextCode(sql: string, from: number): number {
    for (let at = from; at < sql.length; at++) {
        const code = sql.charCodeAt(at);
        if (code >= 128 || CLASS[code] !== 1) return code;
    }
    return -1;
}

const TYPES: Readonly<Record<string, number>> = {int4: INT4, int8: INT8, unknown: UNKNOWN};

function statementOf(template: string): {readonly sql: string; readonly parameterTypes: readonly number[]} {
    const parameterTypes: number[] = [];
    // No literal is left in the parts of a template where it could look like a marker: `$` is refused by the scanner.
    const sql = template.replaceAll(/(\$\d+):(int4|int8|unknown)/g, (_, parameter: string, name: string) => {
        parameterTypes.push(TYPES[name] ?? UNKNOWN);
        return parameter;
    });
    return {sql, parameterTypes};
}
