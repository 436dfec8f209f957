// Titles as they stand in the address of a section.

import { slug } from "github-slugger";

export const text = { slug };
