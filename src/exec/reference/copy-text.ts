/**
 * Rows in the text format of COPY, for loading them into the twin. Source: PostgreSQL documentation, COPY, "Text Format".
 *
 * What must stay true: the text is read back as the same value whatever the session's DateStyle, IntervalStyle and
 * TimeZone are.
 */
import type {Datum} from '../../../catalog/types/datum.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import {DEFAULT_OUTPUT_SETTINGS, type OutputSettings} from '../../../catalog/types/settings.ts';

/** ISO dates and offsets, shortest exact floats, and intervals whose signs stand at each field. */
const LOAD_SETTINGS: OutputSettings = {...DEFAULT_OUTPUT_SETTINGS, intervalStyle: 'iso_8601'};

const SPECIAL = /[\\\n\r\t]/u;
const SPECIALS = /[\\\n\r\t]/gu;
const ESCAPES: Readonly<Record<string, string>> = {'\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t'};

/** One line, with its newline. */
export function copyLine(values: readonly Datum[], types: readonly PgType[]): string {
    let line = '';
    for (let i = 0; i < types.length; i++) {
        if (i > 0) line += '\t';
        const value = values[i] ?? null;
        const type = types[i];
        line += value === null || type === undefined ? '\\N' : escape(type.print(value, LOAD_SETTINGS));
    }
    return `${line}\n`;
}

function escape(text: string): string {
    return SPECIAL.test(text) ? text.replaceAll(SPECIALS, (character) => ESCAPES[character] ?? character) : text;
}
