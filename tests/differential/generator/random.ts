/**
 * Random choices that a seed fixes, so that a failing run can be played again. The generator is mulberry32: small, fast,
 * and good enough to choose among alternatives.
 */

export class Random {
    #state: number;

    constructor(seed: number) {
        this.#state = seed >>> 0;
    }

    /** In [0, 1). */
    next(): number {
        this.#state = (this.#state + 0x6d2b79f5) >>> 0;
        let t = this.#state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
    }

    /** An integer in [low, high]. */
    integer(low: number, high: number): number {
        return low + Math.floor(this.next() * (high - low + 1));
    }

    chance(probability: number): boolean {
        return this.next() < probability;
    }

    pick<T>(choices: readonly T[]): T {
        const choice = choices[this.integer(0, choices.length - 1)];
        if (choice === undefined) throw new Error('nothing to choose from');
        return choice;
    }

    /** `count` different ones, in random order. */
    some<T>(choices: readonly T[], count: number): T[] {
        const left = [...choices];
        const taken: T[] = [];
        while (taken.length < count && left.length > 0) taken.push(...left.splice(this.integer(0, left.length - 1), 1));
        return taken;
    }

    times<T>(low: number, high: number, make: (index: number) => T): T[] {
        return Array.from({length: this.integer(low, high)}, (_, index) => make(index));
    }
}
