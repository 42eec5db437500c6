/**
 * The options of COPY, read from the parse tree and checked. Source: PostgreSQL documentation, COPY; the order of the
 * checks and their words follow ProcessCopyOptions in copy.c.
 *
 * What must stay true: what leaves this file is complete and free of contradictions, so that parser and printer check
 * nothing again; an option without a meaning here is refused, never skipped.
 */
import {asFields, isTrue, nodesOf, numberOf, textOf, unwrap, type AstFields} from '../../../catalog/ddl/ast.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';

export type ColumnChoice = 'all' | readonly string[];

export interface CopyOptions {
    readonly format: 'text' | 'csv' | 'binary';
    readonly header: 'none' | 'skip' | 'match';
    readonly delimiter: string;
    readonly null: string;
    /** The text that stands for the column's default (COPY FROM), or undefined. */
    readonly default: string | undefined;
    readonly quote: string;
    readonly escape: string;
    readonly forceQuote: ColumnChoice;
    readonly forceNotNull: ColumnChoice;
    readonly forceNull: ColumnChoice;
    readonly freeze: boolean;
    readonly onError: 'stop' | 'ignore';
    /** Rows that ON_ERROR ignore may skip; undefined = any number. */
    readonly rejectLimit: number | undefined;
    readonly logVerbosity: 'default' | 'verbose' | 'silent';
}

/** Everything as given; undefined = not given. */
interface Given {
    format?: CopyOptions['format'];
    freeze?: boolean;
    delimiter?: string;
    null?: string;
    default?: string;
    header?: 'none' | 'skip' | 'match';
    quote?: string;
    escape?: string;
    force_quote?: ColumnChoice;
    force_not_null?: ColumnChoice;
    force_null?: ColumnChoice;
    encoding?: string;
    on_error?: 'stop' | 'ignore';
    log_verbosity?: CopyOptions['logVerbosity'];
    reject_limit?: number;
}

export function readCopyOptions(statement: AstFields, isFrom: boolean): CopyOptions {
    const given: Given = {};
    for (const {fields} of nodesOf(statement, 'options')) readOption(given, fields, isFrom);
    const csv = given.format === 'csv';
    const options: CopyOptions = {
        format: given.format ?? 'text',
        header: given.header ?? 'none',
        delimiter: given.delimiter ?? (csv ? ',' : '\t'),
        null: given.null ?? (csv ? '' : '\\N'),
        default: given.default,
        quote: given.quote ?? '"',
        escape: given.escape ?? given.quote ?? '"',
        forceQuote: given.force_quote ?? [],
        forceNotNull: given.force_not_null ?? [],
        forceNull: given.force_null ?? [],
        freeze: given.freeze ?? false,
        onError: given.on_error ?? 'stop',
        rejectLimit: given.reject_limit,
        logVerbosity: given.log_verbosity ?? 'default',
    };
    if (options.format === 'binary') checkBinary(options, given);
    check(options, given, csv, isFrom);
    return options;
}

function readOption(given: Given, fields: AstFields, isFrom: boolean): void {
    const name = textOf(fields, 'defname') ?? '';
    const arg = fields['arg'];
    if (!isOption(name)) throw new PgError('42601', `option "${name}" not recognized`);
    if (given[name] !== undefined) throw new PgError('42601', 'conflicting or redundant options');
    switch (name) {
        case 'format':
            given.format = readFormat(requiredText(name, arg));
            return;
        case 'freeze':
            given.freeze = readBoolean(name, arg);
            return;
        case 'header':
            given.header = readHeader(arg, isFrom);
            return;
        case 'delimiter':
        case 'null':
        case 'default':
        case 'quote':
        case 'escape':
            given[name] = requiredText(name, arg);
            return;
        case 'force_quote':
        case 'force_not_null':
        case 'force_null':
            given[name] = readColumns(name, arg);
            return;
        case 'encoding':
            given.encoding = readEncoding(requiredText(name, arg));
            return;
        case 'on_error':
            given.on_error = readOnError(arg, isFrom);
            return;
        case 'log_verbosity':
            given.log_verbosity = readVerbosity(arg);
            return;
        case 'reject_limit':
            given.reject_limit = readRejectLimit(arg);
    }
}

const OPTION_NAMES: ReadonlySet<string> = new Set([
    'format',
    'freeze',
    'delimiter',
    'null',
    'default',
    'header',
    'quote',
    'escape',
    'force_quote',
    'force_not_null',
    'force_null',
    'encoding',
    'on_error',
    'log_verbosity',
    'reject_limit',
] satisfies readonly (keyof Given)[]);

function isOption(name: string): name is keyof Given {
    return OPTION_NAMES.has(name);
}

/** The argument as text: a string, a number or a bare word; undefined when there is none. */
export function argumentText(arg: unknown): string | undefined {
    const {kind, fields} = unwrap(arg);
    switch (kind) {
        case 'String':
            return textOf(fields, 'sval') ?? '';
        case 'Integer':
            return String(numberOf(fields, 'ival'));
        case 'Float':
            return textOf(fields, 'fval');
        case 'Boolean':
            return isTrue(fields, 'boolval') ? 'true' : 'false';
        case 'TypeName':
            return nodesOf(fields, 'names')
                .map((node) => textOf(node.fields, 'sval') ?? '')
                .at(-1);
        default:
            return undefined;
    }
}

function requiredText(name: string, arg: unknown): string {
    const text = argumentText(arg);
    if (text === undefined) throw new PgError('42601', `${name} requires a parameter`);
    return text;
}

/** As defGetBoolean: no argument means true. */
export function readBoolean(name: string, arg: unknown): boolean {
    if (arg === undefined) return true;
    const text = argumentText(arg)?.toLowerCase();
    if (text === 'true' || text === 'on' || text === '1') return true;
    if (text === 'false' || text === 'off' || text === '0') return false;
    throw new PgError('42601', `${name} requires a Boolean value`);
}

function readFormat(text: string): CopyOptions['format'] {
    if (text === 'text' || text === 'csv' || text === 'binary') return text;
    throw new PgError('22023', `COPY format "${text}" not recognized`);
}

function readHeader(arg: unknown, isFrom: boolean): 'none' | 'skip' | 'match' {
    const text = arg === undefined ? 'true' : argumentText(arg)?.toLowerCase();
    if (text === 'match') {
        if (!isFrom) throw new PgError('0A000', 'cannot use "match" with HEADER in COPY TO');
        return 'match';
    }
    if (text === 'true' || text === 'on' || text === '1') return 'skip';
    if (text === 'false' || text === 'off' || text === '0') return 'none';
    throw new PgError('42601', 'header requires a Boolean value or "match"');
}

function readColumns(name: string, arg: unknown): ColumnChoice {
    const {kind, fields} = unwrap(arg);
    if (kind === 'A_Star') return 'all';
    if (kind !== 'List') throw new PgError('22023', `argument to option "${name}" must be a list of column names`);
    return nodesOf(fields, 'items').map((node) => textOf(node.fields, 'sval') ?? '');
}

function readEncoding(text: string): string {
    const plain = text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
    if (plain === 'utf8' || plain === 'unicode') return text;
    if (
        /^(sqlascii|latin\d+|win\d+|iso8859\d+|euc\w+|sjis|big5|gbk|gb18030|koi8[ru]|uhc|johab|muleinternal)$/.test(
            plain,
        )
    ) {
        throw notSupported(`COPY in encoding ${text}`, 'Use UTF8.');
    }
    throw new PgError('22023', 'argument to option "encoding" must be a valid encoding name');
}

function readOnError(arg: unknown, isFrom: boolean): 'stop' | 'ignore' {
    if (!isFrom) throw new PgError('22023', 'COPY ON_ERROR cannot be used with COPY TO');
    const text = argumentText(arg) ?? 'stop';
    if (text === 'stop' || text === 'ignore') return text;
    throw new PgError('22023', `COPY ON_ERROR "${text}" not recognized`);
}

function readVerbosity(arg: unknown): CopyOptions['logVerbosity'] {
    const text = argumentText(arg) ?? 'default';
    if (text === 'default' || text === 'verbose' || text === 'silent') return text;
    throw new PgError('22023', `COPY LOG_VERBOSITY "${text}" not recognized`);
}

function readRejectLimit(arg: unknown): number {
    const limit = Number(argumentText(arg) ?? Number.NaN);
    if (!Number.isSafeInteger(limit)) throw new PgError('42601', 'reject_limit requires a numeric value');
    if (limit <= 0) throw new PgError('22023', `REJECT_LIMIT (${limit}) must be greater than zero`);
    return limit;
}

/** What has a meaning for text alone. */
function checkBinary(options: CopyOptions, given: Given): void {
    for (const name of ['delimiter', 'null', 'default'] as const) {
        if (given[name] !== undefined) {
            throw new PgError('42601', `cannot specify ${name.toUpperCase()} in BINARY mode`);
        }
    }
    if (options.header !== 'none') throw new PgError('0A000', 'cannot specify HEADER in BINARY mode');
    if (options.onError !== 'stop') throw new PgError('42601', 'only ON_ERROR STOP is allowed in BINARY mode');
}

/** Lower case letters, digits, dot and backslash have a meaning of their own in the text format. */
const NO_TEXT_DELIMITER = /[\\.a-z0-9]/;

function check(options: CopyOptions, given: Given, csv: boolean, isFrom: boolean): void {
    const {delimiter, quote} = options;
    if (!isOneByte(delimiter)) throw new PgError('0A000', 'COPY delimiter must be a single one-byte character');
    if (/[\r\n]/.test(delimiter)) throw invalid('COPY delimiter cannot be newline or carriage return');
    if (/[\r\n]/.test(options.null)) throw invalid('COPY null representation cannot use newline or carriage return');
    if (options.default !== undefined && /[\r\n]/.test(options.default)) {
        throw invalid('COPY default representation cannot use newline or carriage return');
    }
    if (!csv && NO_TEXT_DELIMITER.test(delimiter)) throw invalid(`COPY delimiter cannot be "${delimiter}"`);
    needsCsv('QUOTE', given.quote, csv);
    if (csv && !isOneByte(quote)) throw new PgError('0A000', 'COPY quote must be a single one-byte character');
    if (csv && delimiter === quote) throw invalid('COPY delimiter and quote must be different');
    needsCsv('ESCAPE', given.escape, csv);
    if (csv && !isOneByte(options.escape))
        throw new PgError('0A000', 'COPY escape must be a single one-byte character');
    needsCsv('FORCE_QUOTE', given.force_quote, csv);
    if (given.force_quote !== undefined && isFrom) throw wrongDirection('FORCE_QUOTE', 'FROM');
    needsCsv('FORCE_NOT_NULL', given.force_not_null, csv);
    if (given.force_not_null !== undefined && !isFrom) throw wrongDirection('FORCE_NOT_NULL', 'TO');
    needsCsv('FORCE_NULL', given.force_null, csv);
    if (given.force_null !== undefined && !isFrom) throw wrongDirection('FORCE_NULL', 'TO');
    if (options.null.includes(delimiter)) {
        throw invalid('COPY delimiter character must not appear in the NULL specification');
    }
    if (csv && options.null.includes(quote)) {
        throw invalid('CSV quote character must not appear in the NULL specification');
    }
    if (options.freeze && !isFrom) throw wrongDirection('FREEZE', 'TO');
    if (options.default !== undefined) checkDefault(options, options.default, csv, isFrom);
    if (options.rejectLimit !== undefined && options.onError !== 'ignore') {
        throw invalid('COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE');
    }
}

function checkDefault(options: CopyOptions, text: string, csv: boolean, isFrom: boolean): void {
    if (!isFrom) throw wrongDirection('DEFAULT', 'TO');
    if (text.includes(options.delimiter)) {
        throw new PgError('0A000', 'COPY delimiter character must not appear in the DEFAULT specification');
    }
    if (csv && text.includes(options.quote)) {
        throw new PgError('0A000', 'CSV quote character must not appear in the DEFAULT specification');
    }
    if (text === options.null) {
        throw new PgError('0A000', 'NULL specification and DEFAULT specification cannot be the same');
    }
}

function isOneByte(text: string): boolean {
    return text.length === 1 && text.charCodeAt(0) < 0x80;
}

function needsCsv(name: string, given: unknown, csv: boolean): void {
    if (given !== undefined && !csv) throw new PgError('0A000', `COPY ${name} requires CSV mode`);
}

function wrongDirection(name: string, direction: 'FROM' | 'TO'): PgError {
    return new PgError('0A000', `COPY ${name} cannot be used with COPY ${direction}`);
}

function invalid(message: string): PgError {
    return new PgError('22023', message);
}

/** Which of the copied columns an option names. `table` undefined: a query's. @throws PgError 42703, 42P10. */
export function chosenColumns(
    choice: ColumnChoice,
    names: readonly string[],
    table: {readonly name: string; readonly columns: readonly {readonly name: string}[]} | undefined,
    option: string,
): boolean[] {
    if (choice === 'all') return names.map(() => true);
    for (const name of choice) {
        if (names.includes(name)) continue;
        if (table?.columns.some((column) => column.name === name) !== true) {
            const of = table === undefined ? '' : ` of relation "${table.name}"`;
            throw new PgError('42703', `column "${name}"${of} does not exist`);
        }
        throw new PgError('42P10', `${option} column "${name}" not referenced by COPY`);
    }
    return names.map((name) => choice.includes(name));
}

/** FROM and TO of a statement: the target, without options. */
export interface CopyStatement {
    readonly isFrom: boolean;
    readonly schema: string | undefined;
    /** undefined: COPY (query). */
    readonly table: string | undefined;
    readonly columns: readonly string[];
    readonly query: unknown;
    readonly hasWhere: boolean;
    readonly file: string | undefined;
    readonly isProgram: boolean;
}

export function readCopyStatement(fields: AstFields): CopyStatement {
    const relation = asFields(fields['relation']);
    return {
        isFrom: isTrue(fields, 'is_from'),
        schema: textOf(relation, 'schemaname'),
        table: textOf(relation, 'relname'),
        columns: nodesOf(fields, 'attlist').map((node) => textOf(node.fields, 'sval') ?? ''),
        query: fields['query'],
        hasWhere: fields['whereClause'] !== undefined,
        file: textOf(fields, 'filename'),
        isProgram: isTrue(fields, 'is_program'),
    };
}
