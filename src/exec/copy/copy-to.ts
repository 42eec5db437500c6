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
import {RowTextWriter} from '../utility/row-text-writer.ts';
import {chosenColumns, type CopyOptions} from './copy-options.ts';
import {type CopyPrinter, CsvPrinter, TextPrinter} from './copy-printer.ts';

export function planCopyTo(inner: Plan, options: CopyOptions, table: TableDescriptor | undefined): Plan {
    const names = (inner.fields ?? []).map((field) => field.name);
    const printer = printerFor(options, names, table);
    return {
        path: 'utility',
        reason: `COPY of rows by the ${inner.path} path: ${inner.reason}`,
        parameterTypes: [],
        fields: null,
        catalogVersion: inner.catalogVersion,
        writes: inner.writes,
        endsTransaction: false,
        async start(context): Promise<StartedStatement> {
            const rows = await copyRows(inner, printer, options.header === 'none' ? undefined : names, context);
            return {rows: null, tag: () => `COPY ${rows}`};
        },
    };
}

function printerFor(options: CopyOptions, names: readonly string[], table: TableDescriptor | undefined): CopyPrinter {
    if (options.format === 'text') return new TextPrinter(options);
    return new CsvPrinter(options, chosenColumns(options.forceQuote, names, table, 'FORCE_QUOTE'));
}

async function copyRows(
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
