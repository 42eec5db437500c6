/**
 * The table of settings as text: for `tidewire --help` and for docs/settings.md. A test compares the file with this
 * output, so the documentation follows the code.
 *
 * To write the file anew: `node src/config/describe-settings.ts > docs/settings.md`
 */
import {definitionOf, flagOf, SETTING_NAMES, variableOf} from './settings.ts';
import type {SettingDefinition} from './settings.ts';

const visibleNames = SETTING_NAMES.filter((name) => definitionOf(name).hidden !== true);

export function settingsHelp(): string {
    const width = Math.max(...visibleNames.map((name) => flagOf(name).length)) + 2;
    return visibleNames
        .map((name) => {
            const definition = definitionOf(name);
            const fallback = definition.default === '' ? '' : ` (${definition.default})`;
            return `  ${flagOf(name).padEnd(width)}${definition.help}${fallback}`;
        })
        .join('\n');
}

export function settingsPage(): string {
    const rows = visibleNames.map((name) => {
        const definition = definitionOf(name);
        const fallback = definition.default === '' ? 'none' : `\`${definition.default}\``;
        return `| \`${name}\` | ${kindOf(definition)} | ${fallback} | ${definition.help} |`;
    });
    return `# Settings

Made from the table in \`src/config/settings.ts\` by \`node src/config/describe-settings.ts > docs/settings.md\`.

Each setting can be given in three ways; the first one found wins:

1. as a flag of \`tidewire serve\`: \`${flagOf('hot_bytes_max')} 8GB\`
2. as an environment variable: \`${variableOf('hot_bytes_max')}=8GB\`
3. as a line of the file named by \`--config\` or \`TIDEWIRE_CONFIG\`: \`hot_bytes_max = 8GB\`

The file has \`key = value\` lines like postgresql.conf: \`#\` starts a comment, values with blanks stand in single quotes.
A name that is not in this table is an error, wherever it stands. Relative paths start at the working directory.

Sizes take B, kB, MB, GB, TB or PB (powers of 1024); durations take ms, s, min, h or d. Without a unit they are bytes and
milliseconds.

| setting | type | default | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

function kindOf(definition: SettingDefinition): string {
    switch (definition.type) {
        case 'choice':
            return definition.choices.map((choice) => `\`${choice}\``).join(', ');
        case 'integer':
        case 'bytes':
        case 'duration':
            return `${definition.type}, ${definition.min} to ${definition.max}`;
        default:
            return definition.type;
    }
}

if (import.meta.main) process.stdout.write(settingsPage());
