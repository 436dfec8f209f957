// Titles as they stand in URLs.

import slugify from "slugify";

export const text = {
    slug: (title) => slugify(title, { lower: true, strict: true }),
};
