/**
 * Joins the three sources of settings into one typed object. Flags beat variables, variables beat the file, the file
 * beats the defaults. Every name of every source must be known: a slip is an error that names the nearest setting.
 */
import {readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {camelCase} from './camel-case.ts';
import {parseConfigFile} from './config-file.ts';
import {nearest} from './nearest.ts';
import {SettingError} from './setting-error.ts';
import {definitionOf, flagOf, isSettingName, SETTING_NAMES, variableOf} from './settings.ts';
import {parseBytes, parseDuration, unitsOfBytes, unitsOfDuration} from './units.ts';
import type {SettingDefinition, SettingName, Settings} from './settings.ts';

const VARIABLE_PREFIX = 'TIDEWIRE_';

/** A value and where it was written, for error messages. */
interface Given {
    readonly value: string;
    readonly origin: string;
}

type GivenSettings = Map<SettingName, Given>;

/** `argv` without the program's and the command's name. Throws SettingError. */
export function loadSettings(argv: readonly string[], env: NodeJS.ProcessEnv): Settings {
    const flags = readFlags(argv);
    const variables = readVariables(env);
    const configPath = flags.config ?? variables.config;
    const file = configPath === undefined ? new Map<SettingName, Given>() : readFile(configPath);

    const settings: Record<string, string | number> = {};
    for (const name of SETTING_NAMES) {
        const definition = definitionOf(name);
        const given = flags.given.get(name) ?? variables.given.get(name) ?? file.get(name);
        const property = camelCase(name) + (definition.type === 'duration' ? 'Ms' : '');
        settings[property] = convert(definition, given ?? {value: definition.default, origin: `default of ${name}`});
    }
    return settings as Settings;
}

function readFlags(argv: readonly string[]): {given: GivenSettings; config: string | undefined} {
    const given: GivenSettings = new Map();
    let config: string | undefined;
    for (let index = 0; index < argv.length; index++) {
        const argument = argv[index] ?? '';
        const match = /^--([^=]+)(?:=(.*))?$/s.exec(argument);
        if (match === null) throw new SettingError(`unexpected argument "${argument}"`);
        const [, flag = '', inline] = match;
        const name = flag.replaceAll('-', '_');
        const known = name === 'config' || (isSettingName(name) && !flag.includes('_'));
        if (!known) throw unknown(`flag --${flag}`, `--${flag.replaceAll('_', '-')}`, [...visible(flagOf), '--config']);
        const value = inline ?? argv[++index];
        if (value === undefined) throw new SettingError(`flag --${flag} needs a value`);
        if (isSettingName(name)) given.set(name, {value, origin: `flag --${flag}`});
        else config = value;
    }
    return {given, config};
}

function readVariables(env: NodeJS.ProcessEnv): {given: GivenSettings; config: string | undefined} {
    const given: GivenSettings = new Map();
    let config: string | undefined;
    for (const [variable, value] of Object.entries(env)) {
        if (!variable.startsWith(VARIABLE_PREFIX) || value === undefined) continue;
        const name = variable.slice(VARIABLE_PREFIX.length).toLowerCase();
        if (variable === `${VARIABLE_PREFIX}CONFIG`) config = value;
        else if (isSettingName(name) && variable === variableOf(name)) given.set(name, {value, origin: variable});
        else throw unknown(`variable ${variable}`, variable, [...visible(variableOf), `${VARIABLE_PREFIX}CONFIG`]);
    }
    return {given, config};
}

function readFile(path: string): GivenSettings {
    let text: string;
    try {
        text = readFileSync(path, 'utf8');
    } catch (error) {
        throw new SettingError(`cannot read the configuration file ${path}: ${(error as Error).message}`, {
            cause: error,
        });
    }
    const given: GivenSettings = new Map();
    for (const {key, value, line} of parseConfigFile(text, path)) {
        const origin = `${path}, line ${line}`;
        if (!isSettingName(key)) throw unknown(`setting "${key}" in ${origin}`, key, visible(String));
        given.set(key, {value, origin: `${key} in ${origin}`});
    }
    return given;
}

function visible(spelling: (name: SettingName) => string): string[] {
    return SETTING_NAMES.filter((name) => definitionOf(name).hidden !== true).map((name) => spelling(name));
}

function unknown(what: string, name: string, known: readonly string[]): SettingError {
    const meant = nearest(name, known);
    return new SettingError(`unknown ${what}${meant === undefined ? '' : `; did you mean ${meant}?`}`);
}

function convert(definition: SettingDefinition, {value, origin}: Given): string | number {
    switch (definition.type) {
        case 'text':
            return value;
        case 'path':
            return value === '' ? '' : resolve(value);
        case 'choice':
            if (!definition.choices.includes(value)) {
                throw new SettingError(`${origin}: "${value}" is not one of ${definition.choices.join(', ')}`);
            }
            return value;
        case 'integer':
            return bounded(definition, value, origin, parseInteger, 'a whole number');
        case 'bytes':
            return bounded(definition, value, origin, parseBytes, `a size (units: ${unitsOfBytes()})`);
        default:
            return bounded(definition, value, origin, parseDuration, `a duration (units: ${unitsOfDuration()})`);
    }
}

function bounded(
    {min, max}: {readonly min: string; readonly max: string},
    text: string,
    origin: string,
    parse: (text: string) => number | undefined,
    kind: string,
): number {
    const value = parse(text);
    if (value === undefined) throw new SettingError(`${origin}: "${text}" is not ${kind}`);
    if (value < (parse(min) ?? 0) || value > (parse(max) ?? Infinity)) {
        throw new SettingError(`${origin}: ${text} is outside of ${min} to ${max}`);
    }
    return value;
}

function parseInteger(text: string): number | undefined {
    const value = /^\d+$/.test(text) ? Number(text) : undefined;
    return Number.isSafeInteger(value) ? value : undefined;
}
