// A library: what its world exports, others can call.

export const greetings = {
    greet(name) {
        return `Hello, ${name}, from JavaScript!`;
    },
};
