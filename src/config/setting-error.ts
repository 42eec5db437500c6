/**
 * A setting that cannot be used: unknown, malformed or out of bounds. Its message is one line for the person who typed
 * it, and says where the value came from. Raised before there is a server or a session, hence no SQLSTATE.
 */
export class SettingError extends Error {
    override readonly name = 'SettingError';
}
