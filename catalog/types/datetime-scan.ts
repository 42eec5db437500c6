/**
 * Cuts date, time and interval input into fields, before any of them is understood.
 * Source: PostgreSQL documentation, appendix B.1 ("Date/Time Input Interpretation"); ParseDateTime in datetime.c.
 *
 * What must stay true: the kind of a field depends on its characters alone. At most FIELDS_MAX fields of at most
 * TEXT_MAX characters in all.
 */
import {isReservedWord} from './datetime-words.ts';
import {isSpaceCode} from './whitespace.ts';

export type FieldKind = 'number' | 'string' | 'date' | 'time' | 'zone' | 'special';

export interface Field {
    readonly kind: FieldKind;
    /** Lower case. */
    readonly text: string;
}

const FIELDS_MAX = 25;
/** PostgreSQL's MAXDATELEN. */
const TEXT_MAX = 128;

function isDigit(code: number): boolean {
    return code >= 48 && code <= 57;
}

function isAlpha(code: number): boolean {
    const lower = code | 32;
    return lower >= 97 && lower <= 122;
}

function isPunctuation(code: number): boolean {
    return code > 32 && code < 127 && !isDigit(code) && !isAlpha(code);
}

const AFTER_WORD = /[+\-/_.:0-9a-z]/i;

/** Undefined when the text cannot be date/time input at all. */
export function scanFields(text: string): readonly Field[] | undefined {
    return text.length > TEXT_MAX ? undefined : new Scanner(text).scan();
}

class Scanner {
    readonly #text: string;
    readonly #fields: Field[] = [];
    #at = 0;

    constructor(text: string) {
        this.#text = text;
    }

    scan(): readonly Field[] | undefined {
        while (this.#at < this.#text.length) {
            const code = this.#code();
            if (isSpaceCode(code)) {
                this.#at++;
                continue;
            }
            const start = this.#at;
            let kind: FieldKind | undefined;
            let text: string | undefined;
            if (isDigit(code)) kind = this.#scanDigits();
            else if (code === 46) kind = this.#scanFraction();
            else if (isAlpha(code)) kind = this.#scanWord();
            else if (code === 43 || code === 45) {
                this.#at++;
                while (isSpaceCode(this.#code())) this.#at++;
                const from = this.#at;
                kind = this.#scanSigned();
                if (kind === undefined) return undefined;
                text = String.fromCharCode(code) + this.#text.slice(from, this.#at);
            } else if (isPunctuation(code)) {
                this.#at++;
                continue;
            }
            if (kind === undefined || this.#fields.length >= FIELDS_MAX) return undefined;
            this.#fields.push({kind, text: (text ?? this.#text.slice(start, this.#at)).toLowerCase()});
        }
        return this.#fields;
    }

    #code(): number {
        return this.#at < this.#text.length ? this.#text.charCodeAt(this.#at) : 0;
    }

    #skipDigits(): void {
        while (isDigit(this.#code())) this.#at++;
    }

    #scanFraction(): FieldKind {
        this.#at++;
        this.#skipDigits();
        return 'number';
    }

    #scanDigits(): FieldKind {
        this.#skipDigits();
        const delimiter = this.#code();
        if (delimiter === 58) {
            for (let code = delimiter; isDigit(code) || code === 58 || code === 46; code = this.#code()) this.#at++;
            return 'time';
        }
        if (delimiter !== 45 && delimiter !== 47 && delimiter !== 46) return 'number';
        this.#at++;
        if (!isDigit(this.#code())) {
            for (let code = this.#code(); isDigit(code) || isAlpha(code) || code === delimiter; code = this.#code()) {
                this.#at++;
            }
            return 'date';
        }
        this.#skipDigits();
        if (this.#code() !== delimiter) return delimiter === 46 ? 'number' : 'date';
        for (let code = delimiter; isDigit(code) || code === delimiter; code = this.#code()) this.#at++;
        return 'date';
    }

    #scanWord(): FieldKind {
        const start = this.#at;
        while (isAlpha(this.#code())) this.#at++;
        const code = this.#code();
        let isDate = code === 45 || code === 47 || code === 46;
        if (code === 43 || isDigit(code)) isDate = !isReservedWord(this.#text.slice(start, this.#at).toLowerCase());
        if (!isDate) return 'string';
        while (AFTER_WORD.test(this.#text.charAt(this.#at))) this.#at++;
        return 'date';
    }

    #scanSigned(): FieldKind | undefined {
        if (isDigit(this.#code())) {
            for (
                let code = this.#code();
                isDigit(code) || code === 58 || code === 46 || code === 45;
                code = this.#code()
            ) {
                this.#at++;
            }
            return 'zone';
        }
        if (!isAlpha(this.#code())) return undefined;
        while (isAlpha(this.#code())) this.#at++;
        return 'special';
    }
}
