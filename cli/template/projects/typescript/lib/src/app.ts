// A library: what its world exports, others can call.

export const greetings = {
    greet(name: string): string {
        return `Hello, ${name}, from TypeScript!`;
    },
};
