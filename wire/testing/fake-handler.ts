/**
 * A session for the wire's tests. It records every call and answers a small language of its own, so that a test can ask
 * for each behaviour of a handler: answers now, answers later, fails in every way, streams, copies, waits.
 */

import type {
    Acceptor,
    AuthenticationMethod,
    Awaitable,
    BindMessage,
    ConnectionControl,
    ErrorFields,
    FieldDescription,
    OpenedSession,
    ResponseWriter,
    SessionHandler,
    StartupRequest,
} from '../handler.ts';

const TEXT_OID = 25;

function textField(name: string): FieldDescription {
    return {name, tableOid: 0, attnum: 0, typeOid: TEXT_OID, typeLength: -1, typmod: -1};
}

function failure(severity: string, code: string, message: string, rest: Partial<ErrorFields> = {}): ErrorFields {
    return Object.assign(new Error(message), {severity, code, message, ...rest});
}

interface Portal {
    readonly sql: string;
    readonly values: readonly (string | null)[];
}

export class FakeHandler implements SessionHandler {
    readonly calls: string[] = [];
    readonly writer: ResponseWriter;
    readonly control: ConnectionControl;
    readonly copied: string[] = [];
    closedTimes = 0;
    cancelledTimes = 0;
    /** The most that was ever buffered when the handler looked. */
    bufferedBytesMost = 0;
    status: 'I' | 'T' | 'E' = 'I';
    readonly #statements = new Map<string, string>();
    readonly #portals = new Map<string, Portal>();
    #sleeper: PromiseWithResolvers<void> | undefined;

    constructor(writer: ResponseWriter, control: ConnectionControl) {
        this.writer = writer;
        this.control = control;
    }

    transactionStatus(): 'I' | 'T' | 'E' {
        return this.status;
    }

    query(sql: string): Awaitable<void> {
        this.calls.push(`query ${sql}`);
        return this.#run(sql, [], true);
    }

    parse(name: string, sql: string, parameterTypes: readonly number[]): Awaitable<void> {
        this.calls.push(`parse ${name} [${sql}] ${parameterTypes.join(',')}`);
        if (sql === 'parse error') {
            throw failure('ERROR', '42601', 'syntax error', {position: 1});
        }
        this.#statements.set(name, sql);
        this.writer.parseComplete();
        return sql.startsWith('later') ? nextTurn() : undefined;
    }

    bind(portal: string, statement: string, message: BindMessage): Awaitable<void> {
        const values: (string | null)[] = [];
        for (let index = 0; index < message.parameterCount; index += 1) {
            const start = message.offsets[index] ?? 0;
            const length = message.lengths[index] ?? 0;
            values.push(length === -1 ? null : message.buffer.toString('utf8', start, start + length));
        }
        const formats = Array.from(message.formats.subarray(0, message.parameterCount));
        this.calls.push(
            `bind ${portal} ${statement} ${JSON.stringify(values)} ${formats.join('')} ${message.resultFormats.join('')}`,
        );
        const sql = this.#statements.get(statement);
        if (sql === undefined) {
            throw failure('ERROR', '26000', `prepared statement "${statement}" does not exist`);
        }
        this.#portals.set(portal, {sql, values});
        this.writer.bindComplete();
        return sql.startsWith('later') ? nextTurn() : undefined;
    }

    describeStatement(name: string): void {
        this.calls.push(`describe statement ${name}`);
        const sql = this.#statements.get(name) ?? '';
        const count = parameterCount(sql);
        this.writer.parameterDescription(Array.from({length: count}, () => TEXT_OID));
        this.#describe(sql);
    }

    describePortal(name: string): void {
        this.calls.push(`describe portal ${name}`);
        this.#describe(this.#portals.get(name)?.sql ?? '');
    }

    execute(portal: string, rowsMax: number): Awaitable<void> {
        this.calls.push(`execute ${portal} ${rowsMax}`);
        const {sql, values} = this.#portals.get(portal) ?? {sql: '', values: []};
        return this.#run(sql, values, false);
    }

    closeStatement(name: string): void {
        this.calls.push(`close statement ${name}`);
        this.writer.closeComplete();
    }

    closePortal(name: string): void {
        this.calls.push(`close portal ${name}`);
        this.writer.closeComplete();
    }

    sync(): Awaitable<void> {
        this.calls.push('sync');
        if (this.#statements.get('') === 'sync error') {
            this.#statements.set('', '');
            throw failure('ERROR', '40001', 'could not serialize access');
        }
    }

    failed(error: unknown): Awaitable<void> {
        this.calls.push(`failed ${(error as Partial<ErrorFields>).code ?? 'unknown'}`);
        return (error as Error).message === 'failed later' ? nextTurn() : undefined;
    }

    beforeReady(): void {
        this.calls.push('ready');
    }

    cancel(): void {
        this.cancelledTimes += 1;
        this.#sleeper?.reject(failure('ERROR', '57014', 'canceling statement due to user request'));
        this.#sleeper = undefined;
    }

    close(): void {
        this.closedTimes += 1;
    }

    /** Ends a `sleep`. */
    wake(): void {
        this.#sleeper?.resolve();
        this.#sleeper = undefined;
    }

    #describe(sql: string): void {
        if (sql.startsWith('copy') || sql.trim() === '') {
            this.writer.noData();
        } else {
            this.writer.rowDescription(fieldsOf(parameterCount(sql)), []);
        }
    }

    #run(sql: string, values: readonly (string | null)[], describe: boolean): Awaitable<void> {
        const [command = '', argument = ''] = sql.trim().split(' ');
        switch (command) {
            case '':
                this.writer.emptyQueryResponse();
                return undefined;
            case 'error':
                throw failure('ERROR', '42P01', 'relation "x" does not exist', {
                    detail: 'a detail',
                    hint: 'a hint',
                    position: 15,
                    where: 'a place',
                    schema: 's',
                    table: 't',
                    column: 'c',
                    dataType: 'd',
                    constraint: 'n',
                });
            case 'half':
                this.writer.beginRow(2);
                this.writer.valueText('taken back');
                throw failure('ERROR', '22012', 'division by zero');
            case 'reject':
                return Promise.reject(failure('ERROR', '42P01', argument === '' ? 'rejected' : 'failed later'));
            case 'fatal':
                throw failure('FATAL', '57P01', 'terminating connection');
            case 'bug':
                throw new TypeError('x is not a function');
            case 'later':
                return nextTurn().then(() => this.#echo(sql, values, describe));
            case 'sleep':
                this.#sleeper = Promise.withResolvers();
                return this.#sleeper.promise.then(() => this.#echo(sql, values, describe));
            case 'rows':
                return this.#rows(Number(argument), describe);
            case 'copyin':
            case 'copyfail':
            case 'copybreak':
            case 'copywait':
                return this.#copyIn(command);
            case 'copyout':
                this.writer.copyOutResponse(false, 1);
                this.writer.copyData(Buffer.from('one\n'));
                this.writer.copyData(Buffer.from('two\n'));
                this.writer.copyDone();
                this.writer.commandComplete('COPY 2');
                return undefined;
            default:
                this.#echo(sql, values, describe);
                return undefined;
        }
    }

    #echo(sql: string, values: readonly (string | null)[], describe: boolean): void {
        const row = values.length === 0 ? [sql] : values;
        if (describe) {
            this.writer.rowDescription(fieldsOf(row.length), []);
        }
        this.writer.beginRow(row.length);
        for (const value of row) {
            if (value === null) {
                this.writer.valueNull();
            } else {
                this.writer.valueText(value);
            }
        }
        this.writer.endRow();
        this.writer.commandComplete('SELECT 1');
    }

    async #rows(count: number, describe: boolean): Promise<void> {
        if (describe) {
            this.writer.rowDescription(fieldsOf(1), []);
        }
        const text = 'x'.repeat(1000);
        for (let index = 0; index < count; index += 1) {
            this.writer.beginRow(1);
            this.writer.valueText(text);
            this.writer.endRow();
            this.bufferedBytesMost = Math.max(this.bufferedBytesMost, this.writer.bufferedBytes);
            if (this.writer.congested) {
                await this.writer.drained();
            }
        }
        this.writer.commandComplete(`SELECT ${count}`);
    }

    async #copyIn(command: string): Promise<void> {
        const data = this.writer.copyIn(false, 1);
        if (command === 'copywait') {
            this.#sleeper = Promise.withResolvers();
            await this.#sleeper.promise;
        }
        let chunks = 0;
        for await (const chunk of data) {
            chunks += 1;
            this.copied.push(chunk.toString());
            if (command === 'copyfail') {
                throw failure('ERROR', '22P02', 'invalid input syntax');
            }
            if (command === 'copybreak') {
                break;
            }
        }
        this.writer.commandComplete(`COPY ${chunks}`);
    }
}

function parameterCount(sql: string): number {
    return new Set(sql.match(/\$\d+/g)).size;
}

function fieldsOf(count: number): readonly FieldDescription[] {
    return Array.from({length: Math.max(1, count)}, (_, index) => textField(`c${index + 1}`));
}

function nextTurn(): Promise<void> {
    return new Promise((resolve) => {
        setImmediate(resolve);
    });
}

/** Opens FakeHandlers and keeps them in order of arrival. */
export class FakeAcceptor implements Acceptor {
    readonly handlers: FakeHandler[] = [];
    readonly requests: StartupRequest[] = [];
    /** What `authenticate` answers or throws, by user. */
    readonly methods = new Map<string, AuthenticationMethod | ErrorFields>();
    /** When set, `open` waits for it. */
    opening: Promise<void> | undefined;

    authenticate(request: StartupRequest): AuthenticationMethod {
        this.requests.push(request);
        const method = this.methods.get(request.user) ?? {method: 'trust'};
        if ('method' in method) {
            return method;
        }
        throw method;
    }

    async open(
        _request: StartupRequest,
        writer: ResponseWriter,
        connection: ConnectionControl,
    ): Promise<OpenedSession> {
        await this.opening;
        const handler = new FakeHandler(writer, connection);
        this.handlers.push(handler);
        return {
            handler,
            parameters: new Map([
                ['server_version', '18.0'],
                ['client_encoding', 'UTF8'],
                ['DateStyle', 'ISO, MDY'],
                ['integer_datetimes', 'on'],
                ['standard_conforming_strings', 'on'],
            ]),
        };
    }

    /** The latest session. */
    get last(): FakeHandler {
        const handler = this.handlers.at(-1);
        if (handler === undefined) {
            throw new Error('no session was opened');
        }
        return handler;
    }
}
