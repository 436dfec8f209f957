// A program: `wasi:cli/run` calls `run`.

export const run = {
    run(): void {
        console.log("Hello from TypeScript!");
    },
};
