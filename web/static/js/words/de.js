// Deutsch. Alphabetisch; der Schlüssel ist der englische Text.

export default {
};
