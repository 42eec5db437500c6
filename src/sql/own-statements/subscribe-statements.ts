/**
 * Recognisers for SUBSCRIBE TO query [WITH (…) | OPTIONS (…)] and COPY (SUBSCRIBE TO …) TO STDOUT.
 *
 * What must stay true: the query's text is cut from the source as it stands, for the grammar to parse. Only a closing
 * `WITH (` (which cannot end a query of PostgreSQL) or `OPTIONS (name =` is ours; everything before it is the query's.
 * KalamDB's short form, SUBSCRIBE TO table [WHERE …], means SELECT * FROM that.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {CopyFormat, OwnStatement, QueryText, Subscribe, SubscribeOptions} from './own-statement.ts';
import {nextToken, type Token} from './scanner.ts';
import {characterPosition, type StatementReader} from './statement-reader.ts';

const SHORT_FORM = 'SELECT * FROM ';

/** Where the query ends and where its options begin. */
interface QueryExtent {
    /** End of the query's last token. */
    readonly end: number;
    /** Offset of WITH or OPTIONS, or undefined. */
    readonly optionsAt: number | undefined;
}

/** After SUBSCRIBE. `closeAt` is the place of the parenthesis around it, or undefined when it stands alone. */
export function readSubscribe(reader: StatementReader, closeAt: number | undefined): Subscribe {
    reader.expectWord('to');
    const first = reader.token;
    const stop = closeAt ?? reader.sql.length;
    const extent = findExtent(reader, stop);
    if (extent.end <= first.start) throw reader.unexpected('Expected a query: SUBSCRIBE TO SELECT ….');
    const query = queryText(reader.sql, first, extent.end);
    let options: SubscribeOptions = {};
    reader.seek(extent.optionsAt ?? extent.end);
    if (extent.optionsAt !== undefined) {
        reader.next();
        options = readOptions(reader);
    }
    if (closeAt === undefined) reader.expectEnd();
    return {query, options};
}

/** After COPY, at the parenthesis before SUBSCRIBE. */
export function readCopySubscribe(reader: StatementReader): OwnStatement {
    const closeAt = closingParenthesis(reader.sql, reader.token);
    if (closeAt === undefined) {
        reader.seek(reader.sql.length);
        throw reader.unexpected('The parenthesis before SUBSCRIBE is not closed.');
    }
    reader.expectSymbol('(');
    reader.expectWord('subscribe');
    const subscribe = readSubscribe(reader, closeAt);
    reader.expectSymbol(')');
    reader.expectWord('to');
    if (!reader.isWord('stdout')) throw reader.unexpected('A live query can be copied to STDOUT only.');
    reader.next();
    let format: CopyFormat = 'text';
    if (reader.takeWord('with')) {
        if (!reader.isSymbol('(')) throw reader.unexpected('Expected WITH (FORMAT text | csv | json).');
    }
    if (reader.takeSymbol('(')) format = readCopyOptions(reader);
    reader.expectEnd();
    return {kind: 'copy subscribe', subscribe, format};
}

function readCopyOptions(reader: StatementReader): CopyFormat {
    let format: CopyFormat | undefined;
    do {
        const token = reader.token;
        const name = reader.expectName('an option of COPY');
        if (name !== 'format') {
            throw reader.failure(`option "${name}" not recognized`, token, 'A live COPY knows the option FORMAT only.');
        }
        const valueToken = reader.token;
        const value = reader.expectValue('a COPY format').toLowerCase();
        if (format !== undefined) throw reader.failure('conflicting or redundant options', token);
        if (value !== 'text' && value !== 'csv' && value !== 'json') {
            throw new PgError('22023', `COPY format "${value}" not recognized`, {
                position: characterPosition(reader.sql, valueToken.start),
                hint: 'A live COPY has the formats text, csv and json.',
            });
        }
        format = value;
    } while (reader.takeSymbol(','));
    reader.expectSymbol(')');
    return format ?? 'text';
}

function queryText(sql: string, first: Token, end: number): QueryText {
    const text = sql.slice(first.start, end);
    const isQuery =
        (first.kind === 'word' && ['select', 'with', 'values', 'table'].includes(first.text)) ||
        (first.kind === 'symbol' && first.text === '(');
    if (isQuery) return {text, offset: first.start};
    return {text: SHORT_FORM + text, offset: first.start - SHORT_FORM.length};
}

/** Walks over the query up to `stop`. A closing options list is the last thing before it, at depth 0. */
function findExtent(reader: StatementReader, stop: number): QueryExtent {
    const {sql} = reader;
    let depth = 0;
    let end = reader.token.start;
    let candidate: QueryExtent | undefined;
    let token = reader.token;
    for (; token.kind !== 'end' && token.start < stop; token = nextToken(sql, token.end)) {
        if (token.kind === 'unterminated') {
            reader.seek(token.start);
            throw reader.unexpected();
        }
        if (depth === 0 && token.kind === 'symbol' && token.text === ';') break;
        if (depth === 0 && opensOptions(sql, token)) candidate = {end, optionsAt: token.start};
        // Only a list that closes the statement counts: anything at depth 0 after its ) makes it part of the query.
        else if (depth === 0 && candidate !== undefined && !(token.kind === 'symbol' && token.text === '(')) {
            candidate = undefined;
        }
        if (token.kind === 'symbol' && token.text === '(') depth++;
        else if (token.kind === 'symbol' && token.text === ')') depth--;
        end = token.end;
    }
    return candidate ?? {end, optionsAt: undefined};
}

function opensOptions(sql: string, token: Token): boolean {
    if (token.kind !== 'word' || (token.text !== 'with' && token.text !== 'options')) return false;
    const open = nextToken(sql, token.end);
    if (open.kind !== 'symbol' || open.text !== '(') return false;
    if (token.text === 'with') return true;
    // `options (a int)` may be an alias with its columns.
    const name = nextToken(sql, open.end);
    return name.kind === 'word' && nextToken(sql, name.end).text === '=';
}

function closingParenthesis(sql: string, open: Token): number | undefined {
    let depth = 0;
    for (let token = open; token.kind !== 'end'; token = nextToken(sql, token.end)) {
        if (token.kind !== 'symbol') continue;
        if (token.text === '(') depth++;
        else if (token.text === ')' && --depth === 0) return token.start;
    }
    return undefined;
}

function readOptions(reader: StatementReader): SubscribeOptions {
    const options: {snapshot?: boolean; fromSeq?: number; lastRows?: number; batchSize?: number} = {};
    const seen = new Set<string>();
    reader.expectSymbol('(');
    do {
        const token = reader.token;
        const name = reader.expectName('snapshot, from_seq, last_rows or batch_size').toLowerCase();
        if (seen.has(name)) throw reader.failure('conflicting or redundant options', token);
        seen.add(name);
        const assigned = reader.takeSymbol('=');
        if (name === 'snapshot') options.snapshot = assigned ? readBoolean(reader, name) : true;
        else if (name === 'from_seq') options.fromSeq = readInteger(reader, name, assigned, 0);
        else if (name === 'last_rows') options.lastRows = readInteger(reader, name, assigned, 0);
        else if (name === 'batch_size') options.batchSize = readInteger(reader, name, assigned, 1);
        else throw unknownOption(reader, name, token);
    } while (reader.takeSymbol(','));
    reader.expectSymbol(')');
    return options;
}

function unknownOption(reader: StatementReader, name: string, token: Token): PgError {
    return new PgError('22023', `unrecognized SUBSCRIBE option "${name}"`, {
        position: characterPosition(reader.sql, token.start),
        hint: 'The options are snapshot, from_seq, last_rows and batch_size.',
    });
}

function readBoolean(reader: StatementReader, name: string): boolean {
    const token = reader.token;
    const text = reader.expectValue(`the value of ${name}`).toLowerCase();
    if (['true', 'on', 'yes', '1', 't'].includes(text)) return true;
    if (['false', 'off', 'no', '0', 'f'].includes(text)) return false;
    throw new PgError('22023', `${name} requires a Boolean value`, {
        position: characterPosition(reader.sql, token.start),
    });
}

/** Digits, quoted or not: `_seq` is a string in events, so clients may send it back as one. */
function readInteger(reader: StatementReader, name: string, assigned: boolean, min: number): number {
    if (!assigned) throw reader.unexpected(`Expected ${name} = number.`);
    const token = reader.token;
    const text = reader.expectValue(`the value of ${name}`);
    const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < min) {
        throw new PgError('22023', `invalid value for option "${name}": "${text}"`, {
            position: characterPosition(reader.sql, token.start),
            hint: `It is a whole number, at least ${min}.`,
        });
    }
    return value;
}
