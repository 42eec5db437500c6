/**
 * The configuration file: `key = value` lines as in postgresql.conf (documentation, 20.1.2). `#` starts a comment, the
 * equals sign may be left out, values with blanks or `#` stand in single quotes, and a quote within is written twice.
 */
import {SettingError} from './setting-error.ts';

const FILE_BYTES_MAX = 1024 * 1024;

export interface ConfigEntry {
    readonly key: string;
    readonly value: string;
    readonly line: number;
}

export function parseConfigFile(text: string, path: string): ConfigEntry[] {
    if (text.length > FILE_BYTES_MAX) throw new SettingError(`${path}: a configuration file is at most 1 MB`);
    const entries: ConfigEntry[] = [];
    for (const [index, raw] of text.split(/\r?\n/).entries()) {
        const line = raw.trim();
        if (line === '' || line.startsWith('#')) continue;
        const match = /^([A-Za-z_][\w.-]*)\s*=?\s*(?:'((?:[^']|'')*)'|([^\s'#]*))\s*(?:#.*)?$/.exec(line);
        if (match === null) {
            throw new SettingError(`${path}, line ${index + 1}: expected "key = value", got "${line.slice(0, 80)}"`);
        }
        const [, key = '', quoted, plain] = match;
        if (quoted === undefined && (plain === undefined || plain === '')) {
            throw new SettingError(`${path}, line ${index + 1}: "${key}" has no value (write '' for an empty one)`);
        }
        entries.push({key, value: quoted?.replaceAll("''", "'") ?? plain ?? '', line: index + 1});
    }
    return entries;
}
