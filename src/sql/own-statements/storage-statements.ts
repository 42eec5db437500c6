/**
 * Recognisers for storages: CREATE, ALTER and DROP STORAGE in PostgreSQL's manner (WITH (option = value)) and in
 * KalamDB's keyword list, and STORAGE FLUSH | COMPACT.
 *
 * What must stay true: only the shape is decided here. Which types and options exist is the catalog's to say, so every
 * option is kept, with its name in lower case; an option given twice is an error.
 */
import type {OwnStatement} from './own-statement.ts';
import type {StatementReader} from './statement-reader.ts';

/** Words of KalamDB's list: CREATE STORAGE s TYPE 's3' NAME '…' BUCKET '…' …. */
const LISTED_OPTIONS: ReadonlySet<string> = new Set([
    'name',
    'description',
    'path',
    'bucket',
    'region',
    'endpoint',
    'base_directory',
    'shared_tables_template',
    'user_tables_template',
    'credentials',
    'config',
]);
const LISTED_HINT = `Options are given as WITH (option = 'value', …), or as a list of ${[...LISTED_OPTIONS].join(', ').toUpperCase()}, each with its value.`;

/** After CREATE STORAGE. */
export function readCreateStorage(reader: StatementReader): OwnStatement {
    const ifNotExists = readIfNotExists(reader);
    const name = reader.expectName('the name of a storage');
    reader.expectWord('type');
    const type = reader.expectValue('the type of the storage').toLowerCase();
    const options = new Map<string, string>();
    if (reader.takeWord('with')) readOptionList(reader, options);
    else while (isListedOption(reader)) readListedOption(reader, options);
    reader.takeSymbol(';');
    if (reader.token.kind !== 'end') throw reader.unexpected(LISTED_HINT);
    return {kind: 'create storage', name, ifNotExists, type, options};
}

/** After ALTER STORAGE: SET (…), RESET (…), RENAME TO n, or KalamDB's SET option 'value', repeated. */
export function readAlterStorage(reader: StatementReader): OwnStatement {
    const name = reader.expectName('the name of a storage');
    const set = new Map<string, string>();
    const reset: string[] = [];
    let renameTo: string | undefined;
    if (reader.takeWord('rename')) {
        reader.expectWord('to');
        renameTo = reader.expectName('the new name of the storage');
    } else if (reader.takeWord('reset')) {
        reader.expectSymbol('(');
        do reset.push(reader.expectName('the name of an option').toLowerCase());
        while (reader.takeSymbol(','));
        reader.expectSymbol(')');
    } else {
        reader.expectWord('set');
        if (reader.isSymbol('(')) {
            readOptionList(reader, set);
        } else {
            do {
                if (!isListedOption(reader)) throw reader.unexpected(LISTED_HINT);
                readListedOption(reader, set);
                reader.takeSymbol(',');
            } while (reader.takeWord('set'));
        }
    }
    reader.expectEnd();
    return {kind: 'alter storage', name, set, reset, renameTo};
}

/** After DROP STORAGE. */
export function readDropStorage(reader: StatementReader): OwnStatement {
    let ifExists = false;
    // A storage may itself be called "if".
    if (reader.isWord('if') && reader.peek().text === 'exists') {
        reader.next();
        reader.next();
        ifExists = true;
    }
    const names: string[] = [];
    do names.push(reader.expectName('the name of a storage'));
    while (reader.takeSymbol(','));
    reader.expectEnd();
    return {kind: 'drop storage', names, ifExists};
}

/** After STORAGE. */
export function readStorageCommand(reader: StatementReader): OwnStatement {
    const verb = reader.takeWord('flush') ? 'flush' : reader.takeWord('compact') ? 'compact' : undefined;
    if (verb === undefined) throw reader.unexpected('Expected STORAGE FLUSH or STORAGE COMPACT.');
    if (reader.takeWord('all')) {
        const schema = reader.takeWord('in') ? reader.expectName('the name of a schema') : undefined;
        reader.expectEnd();
        return {kind: `storage ${verb} all`, schema};
    }
    if (!reader.takeWord('table')) throw reader.unexpected('Expected TABLE name or ALL.');
    const table = reader.expectQualifiedName('the name of a table');
    reader.expectEnd();
    return {kind: `storage ${verb}`, table};
}

function readIfNotExists(reader: StatementReader): boolean {
    if (!reader.isWord('if') || reader.peek().text !== 'not') return false;
    reader.next();
    reader.next();
    reader.expectWord('exists');
    return true;
}

function isListedOption(reader: StatementReader): boolean {
    return reader.token.kind === 'word' && LISTED_OPTIONS.has(reader.token.text);
}

function readListedOption(reader: StatementReader, options: Map<string, string>): void {
    const token = reader.next();
    reader.takeSymbol('=');
    const value = reader.expectString(`the value of ${token.text.toUpperCase()}`);
    if (options.has(token.text)) throw reader.failure('conflicting or redundant options', token);
    options.set(token.text, value);
}

/** (name = value, …) */
function readOptionList(reader: StatementReader, options: Map<string, string>): void {
    reader.expectSymbol('(');
    do {
        const token = reader.token;
        const name = reader.expectName('the name of an option').toLowerCase();
        reader.expectSymbol('=');
        const value = reader.expectValue(`the value of ${name}`);
        if (options.has(name)) throw reader.failure('conflicting or redundant options', token);
        options.set(name, value);
    } while (reader.takeSymbol(','));
    reader.expectSymbol(')');
}
