/**
 * Tells Tidewire's own statements from PostgreSQL's. It is asked about every statement text that is parsed, so an
 * ordinary statement must cost one look at its first word (CREATE, ALTER, DROP, COPY and EXPLAIN one or two more).
 *
 * What must stay true: a statement that PostgreSQL's grammar accepts is never taken (but for LISTEN and UNLISTEN of a
 * quoted name that begins with SELECT or WITH, whose text the grammar would cut); a statement that can only be ours
 * and is malformed gets a 42601 with its position.
 */
import type {OwnStatement} from './own-statement.ts';
import {skipBlank} from './scanner.ts';
import {StatementReader} from './statement-reader.ts';
import {readAlterStorage, readCreateStorage, readDropStorage, readStorageCommand} from './storage-statements.ts';
import {readCopySubscribe, readSubscribe} from './subscribe-statements.ts';

const FIRST_WORD =
    /(?:listen|unlisten|subscribe|kill|storage|create|alter|drop|copy|explain)(?![A-Za-z0-9_$\u0080-\uffff])/iy;
const ANY_OWN_WORD = /listen|subscribe|kill|storage/i;
const LIVE_CHANNEL = /^\s*(?:select|with)\s/i;

/** False means that no statement in the string can be ours: no need to split it. */
export function mayHoldOwnStatement(sql: string): boolean {
    return ANY_OWN_WORD.test(sql);
}

/** True for the text of a LISTEN channel that is a query to keep live. */
export function isLiveChannel(channel: string): boolean {
    return LIVE_CHANNEL.test(channel);
}

/**
 * One statement, with or without its closing semicolon. undefined: not ours, PostgreSQL's grammar decides.
 * @throws PgError 42601 or 22023 when it is ours but malformed.
 */
export function recogniseOwnStatement(sql: string): OwnStatement | undefined {
    const start = skipBlank(sql, 0);
    FIRST_WORD.lastIndex = start;
    if (!FIRST_WORD.test(sql)) return undefined;
    const reader = new StatementReader(sql, start);
    const first = reader.next();
    switch (first.text) {
        case 'listen':
        case 'unlisten':
            return readListen(reader, first.text);
        case 'subscribe':
            return {kind: 'subscribe', subscribe: readSubscribe(reader, undefined)};
        case 'kill':
            return readKill(reader);
        case 'storage':
            return readStorageCommand(reader);
        case 'create':
            return reader.takeWord('storage') ? readCreateStorage(reader) : undefined;
        case 'alter':
            return reader.takeWord('storage') ? readAlterStorage(reader) : undefined;
        case 'drop':
            return reader.takeWord('storage') ? readDropStorage(reader) : undefined;
        case 'copy':
            return isCopySubscribe(reader) ? readCopySubscribe(reader) : undefined;
        default:
            return readExplain(reader);
    }
}

function readListen(reader: StatementReader, kind: 'listen' | 'unlisten'): OwnStatement | undefined {
    const {kind: tokenKind, opaque, text} = reader.token;
    if (tokenKind !== 'quoted' || opaque || !isLiveChannel(text)) return undefined;
    reader.next();
    reader.expectEnd();
    return {kind, channel: text};
}

/** KILL LIVE QUERY 'id' | KILL JOB 'id'. */
function readKill(reader: StatementReader): OwnStatement {
    if (reader.takeWord('job')) {
        const id = reader.expectString('the id of a job');
        reader.expectEnd();
        return {kind: 'kill job', id};
    }
    if (!reader.takeWord('live')) throw reader.unexpected('Expected KILL LIVE QUERY or KILL JOB.');
    reader.expectWord('query');
    const id = reader.expectString('the id of a live query');
    reader.expectEnd();
    return {kind: 'kill live query', id};
}

function isCopySubscribe(reader: StatementReader): boolean {
    if (!reader.isSymbol('(')) return false;
    const inner = reader.peek();
    return inner.kind === 'word' && inner.text === 'subscribe';
}

/** EXPLAIN SUBSCRIBE TO …. Options of EXPLAIN have no meaning for a live query and are refused. */
function readExplain(reader: StatementReader): OwnStatement | undefined {
    if (reader.takeWord('subscribe')) return {kind: 'explain subscribe', subscribe: readSubscribe(reader, undefined)};
    const options = reader.token;
    if (!skipExplainOptions(reader) || !reader.isWord('subscribe')) return undefined;
    throw reader.failure('EXPLAIN SUBSCRIBE takes no options', options, 'Use EXPLAIN SUBSCRIBE TO query.');
}

function skipExplainOptions(reader: StatementReader): boolean {
    if (reader.takeSymbol('(')) {
        let depth = 1;
        while (depth > 0) {
            const {kind, text} = reader.next();
            if (kind === 'end' || kind === 'unterminated') return false;
            if (kind !== 'symbol') continue;
            if (text === '(') depth++;
            else if (text === ')') depth--;
        }
        return true;
    }
    let any = false;
    while (reader.takeWord('analyze') || reader.takeWord('analyse') || reader.takeWord('verbose')) any = true;
    return any;
}
