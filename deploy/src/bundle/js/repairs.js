export function repair() {}
export function sendAsIs(response) { return response; }
