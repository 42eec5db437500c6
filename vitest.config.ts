import {defineConfig} from 'vitest/config';

export default defineConfig({
    test: {
        include: [
            'wire/**/*.test.ts',
            'catalog/**/*.test.ts',
            'storage/**/*.test.ts',
            'src/**/*.test.ts',
            'tests/**/*.test.ts',
        ],
        pool: 'forks',
        reporters: ['verbose'],
        testTimeout: 30_000,
        hookTimeout: 60_000,
        maxWorkers: 2,
    },
});
