/**
 * The known name that someone most likely meant: smallest edit distance, if small enough to be a slip of the finger
 * and not another word.
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
    let best: string | undefined;
    let bestDistance = Math.max(2, Math.ceil(name.length / 2)) + 1;
    for (const candidate of known) {
        const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
        if (distance < bestDistance) {
            best = candidate;
            bestDistance = distance;
        }
    }
    return best;
}

/** Levenshtein's distance, one row of the table at a time. Inputs longer than any name are cut: the answer is the same. */
function editDistance(left: string, right: string): number {
    const source = left.slice(0, 64);
    let previous = Array.from({length: right.length + 1}, (_, index) => index);
    for (let row = 1; row <= source.length; row++) {
        const current = [row];
        for (let column = 1; column <= right.length; column++) {
            const substitution = (previous[column - 1] ?? 0) + (source[row - 1] === right[column - 1] ? 0 : 1);
            current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
        }
        previous = current;
    }
    return previous[right.length] ?? 0;
}
