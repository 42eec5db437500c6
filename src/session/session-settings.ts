/**
 * The run-time settings of one session: SET, SET LOCAL, RESET, their fate with the transaction, and what is reported.
 *
 * What must stay true: every change goes through `#write`, which records how to undo it; `version` grows with every
 * change; a reported setting is sent once, just before ReadyForQuery, and only when its value changed.
 */
import {PgError} from '../../catalog/errors.ts';
import type {OutputSettings} from '../../catalog/types/settings.ts';
import type {ResponseWriter, StartupRequest} from '../../wire/handler.ts';
import type {Database} from '../database.ts';
import type {Identity} from '../exec/statement-context.ts';
import {parseSearchPath} from './qualified-name.ts';
import {isOtherEncoding, parseMilliseconds, SETTING_DEFINITIONS, settingDefinition} from './setting-definitions.ts';

interface Undo {
    readonly name: string;
    readonly previous: string | undefined;
    readonly local: boolean;
}

/** Settings with a dot that a session may make up. */
const CUSTOM_SETTINGS_MAX = 1000;
const NOTICE_RANK = ['debug5', 'debug4', 'debug3', 'debug2', 'debug1', 'log', 'info', 'notice', 'warning', 'error'];
const ROLE_SETTINGS: ReadonlySet<string> = new Set(['role', 'session_authorization']);
const STARTUP_OWN = new Set(['user', 'database', 'options', 'replication']);

export class SessionSettings {
    readonly #defaults = new Map<string, string>();
    readonly #values = new Map<string, string>();
    readonly #reported = new Map<string, string>();
    #undo: Undo[] = [];
    #output: OutputSettings | undefined;
    #searchPath: readonly string[] | undefined;
    #user: string;
    /** Told when `role` or `session_authorization` changed, by whatever way. */
    readonly #roleChanged: () => void;
    version = 1;
    /** About the settings the session began with: told with its first ReadyForQuery. */
    readonly warnings: string[] = [];

    constructor(database: Database, startup: StartupRequest, identity: Identity, roleChanged: () => void) {
        this.#user = identity.user;
        this.#roleChanged = roleChanged;
        for (const definition of SETTING_DEFINITIONS)
            this.#defaults.set(definition.name.toLowerCase(), definition.default);
        const fixed: Record<string, string> = {
            server_version: database.serverVersion,
            server_version_num: database.serverVersionNumber,
            is_superuser: identity.superuser ? 'on' : 'off',
            session_authorization: identity.sessionUser,
            max_connections: String(database.settings.maxConnections),
            port: String(database.settings.port),
            data_directory: database.settings.data,
        };
        for (const [name, value] of Object.entries(fixed)) this.#defaults.set(name, value);
        this.#applyRole(database.catalog.role(identity.sessionUser)?.settings ?? []);
        for (const [name, value] of startupSettings(startup)) {
            const definition = settingDefinition(name);
            if (definition?.readOnly === true) continue;
            if (definition?.name === 'client_encoding' && isOtherEncoding(value)) {
                // Console programs ask for the encoding of their terminal: they read the answer, and may go on.
                this.warnings.push(`client_encoding ${value} is not supported: the server speaks UTF8`);
                continue;
            }
            const parsed = definition?.parse?.(value, definition.name) ?? value;
            this.#defaults.set(name.toLowerCase(), parsed);
        }
        const version = this.#defaults.get('tidewire.server_version');
        if (version !== undefined) this.#defaults.set('server_version', version);
    }

    /** ALTER ROLE … SET: `name=value`. What has become invalid meanwhile does not keep the role out. */
    #applyRole(settings: readonly string[]): void {
        for (const setting of settings) {
            const at = setting.indexOf('=');
            const definition = settingDefinition(setting.slice(0, at));
            const value = setting.slice(at + 1);
            if (definition?.readOnly === true) continue;
            try {
                const parsed = definition?.parse?.(value, definition.name) ?? value;
                this.#defaults.set(setting.slice(0, at).toLowerCase(), parsed);
            } catch (error) {
                if (!(error instanceof PgError)) throw error;
                this.warnings.push(error.message);
            }
        }
    }

    /** The value, as SHOW prints it; '' for an unknown name. */
    get(name: string): string {
        return this.lookup(name) ?? '';
    }

    lookup(name: string): string | undefined {
        const key = name.toLowerCase();
        return this.#values.get(key) ?? this.#defaults.get(key);
    }

    /** The session's own value, not the default. */
    lookupOwn(name: string): string | undefined {
        return this.#values.get(name.toLowerCase());
    }

    milliseconds(name: string): number {
        const value = this.#values.get(name) ?? this.#defaults.get(name);
        return value === undefined || value === '0' ? 0 : parseMilliseconds(value, name);
    }

    /** `value` is validated already; undefined resets to the default. */
    set(name: string, value: string | undefined, local: boolean): void {
        const key = name.toLowerCase();
        if (
            value !== undefined &&
            key.includes('.') &&
            !this.#values.has(key) &&
            this.#values.size > CUSTOM_SETTINGS_MAX
        ) {
            throw new PgError('54000', `too many settings (at most ${CUSTOM_SETTINGS_MAX} in a session)`);
        }
        this.#undo.push({name: key, previous: this.#values.get(key), local});
        this.#write(key, value);
    }

    /** All but who the session acts as, which RESET ALL leaves alone. */
    resetAll(): void {
        for (const key of this.#values.keys()) {
            if (!ROLE_SETTINGS.has(key)) this.set(key, undefined, false);
        }
    }

    names(): Iterable<string> {
        return new Set([...this.#defaults.keys(), ...this.#values.keys()]);
    }

    /** The role of the session changed (SET ROLE, SET SESSION AUTHORIZATION). */
    userChanged(user: string, superuser: boolean, sessionUser: string): void {
        this.#user = user;
        this.#defaults.set('is_superuser', superuser ? 'on' : 'off');
        this.#defaults.set('session_authorization', sessionUser);
        this.#changed();
    }

    // Transactions

    beginTransaction(): void {
        this.#undo = [];
    }

    mark(): number {
        return this.#undo.length;
    }

    rollbackTo(mark: number): void {
        for (let i = this.#undo.length - 1; i >= mark; i--) {
            const entry = this.#undo[i];
            if (entry !== undefined) this.#write(entry.name, entry.previous);
        }
        this.#undo.length = mark;
    }

    endTransaction(committed: boolean): void {
        if (this.#undo.length === 0) return;
        if (!committed) this.rollbackTo(0);
        const settled = new Set<string>();
        for (let i = this.#undo.length - 1; i >= 0; i--) {
            const entry = this.#undo[i];
            if (entry === undefined) continue;
            if (!entry.local) settled.add(entry.name);
            else if (!settled.has(entry.name)) this.#write(entry.name, entry.previous);
        }
        this.#undo = [];
    }

    // What others read

    get output(): OutputSettings {
        return (this.#output ??= {
            timeZone: this.get('timezone'),
            dateStyle: this.get('datestyle'),
            intervalStyle: this.get('intervalstyle') as OutputSettings['intervalStyle'],
            byteaOutput: this.get('bytea_output') === 'escape' ? 'escape' : 'hex',
            extraFloatDigits: Number(this.get('extra_float_digits')),
        });
    }

    get searchPath(): readonly string[] {
        return (this.#searchPath ??= parseSearchPath(this.get('search_path'), this.#user));
    }

    get allUsers(): boolean {
        return this.get('tidewire.all_users') === 'on' && this.get('is_superuser') === 'on';
    }

    wantsNotice(severity: string): boolean {
        const floor = NOTICE_RANK.indexOf(this.get('client_min_messages'));
        return severity === 'INFO' || NOTICE_RANK.indexOf(severity.toLowerCase()) >= floor;
    }

    /** What the twin must be told, so that it answers as this session expects. */
    forTwin(): ReadonlyMap<string, string> {
        const map = new Map<string, string>();
        for (const definition of SETTING_DEFINITIONS) {
            if (definition.inTwin === true) map.set(definition.name, this.get(definition.name));
        }
        for (const [key, value] of this.#values) {
            const definition = settingDefinition(key);
            if (definition === undefined && !key.startsWith('tidewire.')) map.set(key, value);
        }
        return map;
    }

    /** ParameterStatus of the start. */
    initialReport(): ReadonlyMap<string, string> {
        for (const definition of SETTING_DEFINITIONS) {
            if (definition.reported === true) this.#reported.set(definition.name, this.get(definition.name));
        }
        return new Map(this.#reported);
    }

    report(writer: ResponseWriter): void {
        if (!this.#dirty) return;
        this.#dirty = false;
        for (const [name, last] of this.#reported) {
            const now = this.get(name);
            if (now === last) continue;
            this.#reported.set(name, now);
            writer.parameterStatus(name, now);
        }
    }

    #dirty = false;

    #write(key: string, value: string | undefined): void {
        if (value === undefined) this.#values.delete(key);
        else this.#values.set(key, value);
        this.#changed();
        if (ROLE_SETTINGS.has(key)) this.#roleChanged();
    }

    #changed(): void {
        this.#output = undefined;
        this.#searchPath = undefined;
        this.#dirty = true;
        this.version++;
    }
}

/** Settings in the start-up packet: parameters of their own, and `-c name=value` within `options`. */
function* startupSettings(startup: StartupRequest): Iterable<[string, string]> {
    const options = startup.parameters.get('options');
    if (options !== undefined) {
        const words = options.match(/(?:\\.|\S)+/g) ?? [];
        for (let i = 0; i < words.length; i++) {
            const word = (words[i] ?? '').replaceAll(/\\(.)/g, '$1');
            const text = word === '-c' ? (words[++i] ?? '').replaceAll(/\\(.)/g, '$1') : word.replace(/^(-c|--)/, '');
            const equals = text.indexOf('=');
            if (equals > 0) yield [text.slice(0, equals).replaceAll('-', '_'), text.slice(equals + 1)];
        }
    }
    for (const [name, value] of startup.parameters) {
        if (!STARTUP_OWN.has(name) && !name.startsWith('_pq_.')) yield [name, value];
    }
}
