const quotes = new Map([
    ["ada", "That brain of mine is something more than merely mortal."],
    ["grace", "The most damaging phrase in the language is: it's always been done that way."],
]);

/** What somebody said, if it is known. */
export function quote(author: string): string | undefined {
    return quotes.get(author);
}
