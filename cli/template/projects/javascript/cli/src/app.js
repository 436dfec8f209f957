// A program: `wasi:cli/run` calls `run`.

export const run = {
    run() {
        console.log("Hello from JavaScript!");
    },
};
