/**
 * The type bytes of the protocol's messages (PostgreSQL documentation, "Message Formats"), under the names used there.
 * They are plain constants so that the engine folds them into the switch of the message loop.
 */

// Sent by clients.
export const BIND = 0x42;
export const CLOSE = 0x43;
export const DESCRIBE = 0x44;
export const EXECUTE = 0x45;
export const FUNCTION_CALL = 0x46;
export const FLUSH = 0x48;
export const PARSE = 0x50;
export const QUERY = 0x51;
export const SYNC = 0x53;
export const TERMINATE = 0x58;
/** PasswordMessage, SASLInitialResponse and SASLResponse. */
export const PASSWORD = 0x70;

// Sent by both sides.
export const COPY_DONE = 0x63;
export const COPY_DATA = 0x64;
export const COPY_FAIL = 0x66;

// Sent by the server.
export const AUTHENTICATION = 0x52;
export const BACKEND_KEY_DATA = 0x4b;
export const BIND_COMPLETE = 0x32;
export const CLOSE_COMPLETE = 0x33;
export const COMMAND_COMPLETE = 0x43;
export const COPY_IN_RESPONSE = 0x47;
export const COPY_OUT_RESPONSE = 0x48;
export const DATA_ROW = 0x44;
export const EMPTY_QUERY_RESPONSE = 0x49;
export const ERROR_RESPONSE = 0x45;
export const NEGOTIATE_PROTOCOL_VERSION = 0x76;
export const NO_DATA = 0x6e;
export const NOTICE_RESPONSE = 0x4e;
export const NOTIFICATION_RESPONSE = 0x41;
export const PARAMETER_DESCRIPTION = 0x74;
export const PARAMETER_STATUS = 0x53;
export const PARSE_COMPLETE = 0x31;
export const PORTAL_SUSPENDED = 0x73;
export const READY_FOR_QUERY = 0x5a;
export const ROW_DESCRIPTION = 0x54;
