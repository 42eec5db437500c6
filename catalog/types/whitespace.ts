/**
 * White space as C's isspace() in the C locale sees it. JavaScript's trim() also takes Unicode spaces, which PostgreSQL
 * refuses in numbers.
 */

export function isSpaceCode(code: number): boolean {
    return code === 32 || (code >= 9 && code <= 13);
}

export function trimSpace(text: string): string {
    let start = 0;
    let end = text.length;
    while (start < end && isSpaceCode(text.charCodeAt(start))) start++;
    while (end > start && isSpaceCode(text.charCodeAt(end - 1))) end--;
    return start === 0 && end === text.length ? text : text.slice(start, end);
}
