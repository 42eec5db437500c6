/**
 * json: text that was checked to be JSON and is kept as written. It has no order in SQL; `compare` and `hashKey` serve
 * internal uses (change detection) by text alone. Source: PostgreSQL documentation, "JSON Types".
 */
import {readJson} from './json-reader.ts';
import {codec} from './pg-type.ts';
import {sendText} from './text-types.ts';
import {checkText, compareText, decodeUtf8} from './utf8.ts';

/** The engine's own parser accepts exactly the same language; only failures need PostgreSQL's words. */
export function parseJson(text: string): string {
    checkText(text);
    try {
        JSON.parse(text);
    } catch {
        readJson(text);
    }
    return text;
}

export const jsonCodec = codec<string>({
    parse: parseJson,
    print: (value) => value,
    receive: (bytes, offset, length) => parseJson(decodeUtf8(bytes, offset, length)),
    send: sendText,
    compare: compareText,
    hashKey: (value) => value,
});
