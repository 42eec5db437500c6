/**
 * The port between the protocol and whatever answers it. The wire knows no SQL: it frames, authenticates, keeps the
 * order of messages, skips to Sync after an error and pushes back on clients that do not read; the handler decides
 * what statements mean and writes their answers through the `ResponseWriter`.
 *
 * What must stay true:
 * - One message of a connection is handled at a time. A method that returns a promise holds back the next message.
 * - A method that returns nothing has finished: the hot path never allocates a promise.
 * - A method throws (or rejects with) anything that has the fields of `ErrorFields`; the wire sends the ErrorResponse,
 *   calls `failed()`, and in the extended protocol discards messages until Sync.
 * - ReadyForQuery is written by the wire alone, after `sync()` or `query()` and after `beforeReady()`.
 */

export type Awaitable<T> = T | Promise<T>;

/** The fields of ErrorResponse and NoticeResponse (documentation, "Error and Notice Message Fields"). */
export interface ErrorFields {
    readonly severity: string;
    readonly code: string;
    readonly message: string;
    readonly detail?: string | undefined;
    readonly hint?: string | undefined;
    readonly position?: number | undefined;
    readonly schema?: string | undefined;
    readonly table?: string | undefined;
    readonly column?: string | undefined;
    readonly dataType?: string | undefined;
    readonly constraint?: string | undefined;
    readonly where?: string | undefined;
}

export interface FieldDescription {
    readonly name: string;
    readonly tableOid: number;
    readonly attnum: number;
    readonly typeOid: number;
    /** pg_type.typlen: bytes, -1 = variable. */
    readonly typeLength: number;
    readonly typmod: number;
}

/**
 * A Bind message, decoded in place. It is reused for the next Bind of the connection: a handler that keeps values
 * past its `bind` call copies them.
 */
export interface BindMessage {
    /** The bytes that the offsets point into. */
    readonly buffer: Buffer;
    readonly parameterCount: number;
    /** Start of each parameter's value in `buffer`. */
    readonly offsets: Int32Array;
    /** Bytes of each value; -1 = NULL. */
    readonly lengths: Int32Array;
    /** 0 text, 1 binary; already expanded to one per parameter. */
    readonly formats: Uint8Array;
    /** As sent: none = all text, one = for all columns, else one per column. */
    readonly resultFormats: readonly number[];
}

export interface SessionHandler {
    /** 'I' idle, 'T' in a transaction block, 'E' in a failed one: the byte of ReadyForQuery. */
    transactionStatus(): 'I' | 'T' | 'E';
    /** Simple query: everything up to, not including, ReadyForQuery. May read COPY data from `copyIn`. */
    query(sql: string): Awaitable<void>;
    parse(name: string, sql: string, parameterTypes: readonly number[]): Awaitable<void>;
    bind(portal: string, statement: string, message: BindMessage): Awaitable<void>;
    describeStatement(name: string): Awaitable<void>;
    describePortal(name: string): Awaitable<void>;
    /** `rowsMax` 0 = all. Writes rows and CommandComplete, EmptyQueryResponse or PortalSuspended. */
    execute(portal: string, rowsMax: number): Awaitable<void>;
    closeStatement(name: string): Awaitable<void>;
    closePortal(name: string): Awaitable<void>;
    /** Ends the implicit transaction of a pipeline. Its errors are sent before ReadyForQuery. */
    sync(): Awaitable<void>;
    /** An error was sent to the client: roll back what the failed message began. */
    failed(error: unknown): Awaitable<void>;
    /** Just before ReadyForQuery: write ParameterStatus changes and, outside a transaction, notifications. */
    beforeReady(): void;
    /** A CancelRequest with this session's key arrived. No-op when idle. */
    cancel(): void;
    /** The connection is gone or going: release everything. Called exactly once. */
    close(): Awaitable<void>;
}

/** Data of one COPY … FROM STDIN, in the client's chunks. Ends at CopyDone; CopyFail throws 57014. */
export type CopyInData = AsyncIterable<Buffer>;

/**
 * Where a handler writes. Messages are encoded into a buffer that goes out when the connection has nothing more to
 * read, or at Flush and Sync. Row data is written by `beginRow`, one `value…` call per column, `endRow`.
 */
export interface ResponseWriter {
    parseComplete(): void;
    bindComplete(): void;
    closeComplete(): void;
    noData(): void;
    parameterDescription(typeOids: readonly number[]): void;
    /** formats: as in BindMessage.resultFormats. */
    rowDescription(fields: readonly FieldDescription[], formats: readonly number[]): void;
    /** A RowDescription made once by `encodeRowDescription` and kept with a plan. */
    raw(bytes: Uint8Array): void;
    commandComplete(tag: string): void;
    emptyQueryResponse(): void;
    portalSuspended(): void;
    notice(fields: ErrorFields): void;
    parameterStatus(name: string, value: string): void;
    notification(processId: number, channel: string, payload: string): void;

    beginRow(columnCount: number): void;
    valueNull(): void;
    /** A text value (length and UTF-8 bytes). */
    valueText(text: string): void;
    /** ASCII only: faster. */
    valueAscii(text: string): void;
    valueBytes(bytes: Uint8Array): void;
    valueInt16(value: number): void;
    valueInt32(value: number): void;
    valueInt64(value: bigint): void;
    valueFloat32(value: number): void;
    valueFloat64(value: number): void;
    valueBool(value: boolean): void;
    /** An int in text format, without making a string. */
    valueIntText(value: number): void;
    endRow(): void;

    /** CopyOutResponse, then `copyData` per row or chunk, then `copyDone`. */
    copyOutResponse(binary: boolean, columnCount: number): void;
    copyData(bytes: Uint8Array): void;
    copyDone(): void;
    /** Sends CopyInResponse and reads until CopyDone. One at a time. */
    copyIn(binary: boolean, columnCount: number): CopyInData;

    /** Bytes written but not yet taken by the operating system. */
    readonly bufferedBytes: number;
    /** True when the client is behind by more than the high-water mark: await `drained()` before writing more rows. */
    readonly congested: boolean;
    /** Sends what is buffered; resolves when below the mark, rejects when the connection is gone. */
    drained(): Promise<void>;
    /** Sends what is buffered now, without waiting. For asynchronous notifications to an idle session. */
    flush(): void;
}

/** What the start-up packet asked for. */
export interface StartupRequest {
    readonly user: string;
    /** Defaults to the user's name, as in PostgreSQL. */
    readonly database: string;
    /** All parameters sent, incl. user, database, application_name, options. */
    readonly parameters: ReadonlyMap<string, string>;
    readonly protocolMinor: number;
    readonly remoteAddress: string;
    /** True for 127.0.0.0/8 and ::1. */
    readonly loopback: boolean;
}

/** How a user proves who they are. `verifier` is PostgreSQL's SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey. */
export type AuthenticationMethod =
    {readonly method: 'trust'} | {readonly method: 'scram-sha-256'; readonly verifier: string | undefined};

export interface Acceptor {
    /**
     * Decides the method before a session exists. Throws a FATAL error (3D000, 28000, 53300) to refuse. An unknown
     * user gets `verifier: undefined`: the wire plays the whole exchange with a mock secret and fails with 28P01.
     */
    authenticate(request: StartupRequest): Awaitable<AuthenticationMethod>;
    /** The user is who they say. */
    open(request: StartupRequest, writer: ResponseWriter, connection: ConnectionControl): Awaitable<OpenedSession>;
}

export interface OpenedSession {
    readonly handler: SessionHandler;
    /** ParameterStatus messages of the start. */
    readonly parameters: ReadonlyMap<string, string>;
}

export interface ConnectionControl {
    /** Shown as pid in BackendKeyData and NotificationResponse. */
    readonly processId: number;
    readonly remoteAddress: string;
    readonly remotePort: number;
    /** Sends a FATAL error and closes (pg_terminate_backend, shutdown). */
    terminate(fields: ErrorFields): void;
}
