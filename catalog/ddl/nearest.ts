/**
 * The known name nearest to a misspelt one, for hints.
 *
 * What must stay true: nothing is proposed that shares less than half of its letters.
 */

const LENGTH_MAX = 64;

export function nearestName(name: string, known: readonly string[]): string | undefined {
    if (name.length > LENGTH_MAX) return undefined;
    let best: string | undefined;
    let bestDistance = Math.floor(name.length / 2) + 1;
    for (const candidate of known) {
        const distance = editDistance(name, candidate);
        if (distance < bestDistance) {
            best = candidate;
            bestDistance = distance;
        }
    }
    return best;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
    let row = Array.from({length: b.length + 1}, (_, index) => index);
    for (let i = 1; i <= a.length; i++) {
        const next = [i];
        for (let j = 1; j <= b.length; j++) {
            const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
            next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
        }
        row = next;
    }
    return row[b.length] ?? 0;
}
