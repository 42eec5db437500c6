/**
 * COPY … TO STDOUT: the rows of any plan as lines, one CopyData message a line, as PostgreSQL sends them.
 *
 * What must stay true: the query has started, and has met its locks and cold rows, before the first byte is written;
 * a client that does not read slows the query.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import {NO_PARAMETERS} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {RowBytesWriter} from '../utility/row-bytes-writer.ts';
import {RowTextWriter} from '../utility/row-text-writer.ts';
import {BINARY_SIGNATURE} from './binary-parser.ts';
import {chosenColumns, type CopyOptions} from './copy-options.ts';
import {type CopyPrinter, CsvPrinter, TextPrinter} from './copy-printer.ts';

const NOTHING = Buffer.alloc(0);
/** No flags, no extension. */
const BINARY_HEADER = Buffer.concat([BINARY_SIGNATURE, Buffer.alloc(8)]);
const BINARY_TRAILER = Buffer.from([0xff, 0xff]);

export function planCopyTo(inner: Plan, options: CopyOptions, table: TableDescriptor | undefined): Plan {
    const names = (inner.fields ?? []).map((field) => field.name);
    const copyRows =
        options.format === 'binary'
            ? (context: StatementContext) => copyTuples(inner, context)
            : linesOf(inner, printerFor(options, names, table), options.header === 'none' ? undefined : names);
    return {
        path: 'utility',
        reason: `COPY of rows by the ${inner.path} path: ${inner.reason}`,
        parameterTypes: [],
        fields: null,
        catalogVersion: inner.catalogVersion,
        writes: inner.writes,
        endsTransaction: false,
        async start(context): Promise<StartedStatement> {
            const rows = await copyRows(context);
            return {rows: null, tag: () => `COPY ${rows}`};
        },
    };
}

function printerFor(options: CopyOptions, names: readonly string[], table: TableDescriptor | undefined): CopyPrinter {
    if (options.format === 'text') return new TextPrinter(options);
    return new CsvPrinter(options, chosenColumns(options.forceQuote, names, table, 'FORCE_QUOTE'));
}

function linesOf(
    inner: Plan,
    printer: CopyPrinter,
    header: readonly string[] | undefined,
): (context: StatementContext) => Promise<number> {
    return (context) => copyLines(inner, printer, header, context);
}

/** Tuples are the bodies of DataRow messages in binary format. */
async function copyTuples(inner: Plan, context: StatementContext): Promise<number> {
    const started = await inner.start(context, {...NO_PARAMETERS, resultFormats: [1]});
    const {writer} = context;
    writer.copyOutResponse(true, inner.fields?.length ?? 0);
    // The header goes with the first tuple: some clients look for both in one message.
    let before = BINARY_HEADER;
    const send = (body: Uint8Array): void => {
        writer.copyData(before.length === 0 ? body : Buffer.concat([before, body]));
        before = NOTHING;
    };
    const {rows} = started;
    let count = 0;
    try {
        if (rows !== null) count = (await rows.pull(0, new RowBytesWriter(writer, send))).rows;
        context.checkCancelled();
        send(BINARY_TRAILER);
        writer.copyDone();
    } finally {
        await rows?.close();
    }
    return count;
}

async function copyLines(
    inner: Plan,
    printer: CopyPrinter,
    header: readonly string[] | undefined,
    context: StatementContext,
): Promise<number> {
    const started = await inner.start(context, NO_PARAMETERS);
    const {writer} = context;
    writer.copyOutResponse(false, inner.fields?.length ?? 0);
    if (header !== undefined) writer.copyData(Buffer.from(printer.header(header)));
    const {rows} = started;
    if (rows === null) {
        writer.copyDone();
        return 0;
    }
    try {
        const lines = new RowTextWriter(writer, (row) => writer.copyData(Buffer.from(printer.line(row))));
        const pulled = await rows.pull(0, lines);
        context.checkCancelled();
        writer.copyDone();
        return pulled.rows;
    } finally {
        await rows.close();
    }
}
