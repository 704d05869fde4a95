//! Common names, and places that do not exist.
//!
//! Given and family names are frequent ones in Flanders, thrown together at random; streets and
//! municipalities are invented, postal codes are free ones. Whoever shares a name with a pupil of
//! the demo does so by chance.

/// Given names of boys.
pub(crate) const BOYS: [&str; 32] = [
    "Noah", "Arthur", "Liam", "Jules", "Adam", "Victor", "Lucas", "Finn", "Mohamed", "Oscar", "Louis", "Lewis",
    "Matteo", "Mathis", "Vince", "Leon", "Emiel", "Seppe", "Wout", "Senne", "Yusuf", "Amir", "Ibrahim", "Emre",
    "Jasper", "Robbe", "Stan", "Lowie", "Kasper", "Szymon", "Rayan", "Warre",
];

/// Given names of girls.
pub(crate) const GIRLS: [&str; 32] = [
    "Emma", "Louise", "Mila", "Olivia", "Nora", "Ella", "Juliette", "Anna", "Marie", "Yasmine", "Alice", "Lina",
    "Camille", "Elena", "Noor", "Fien", "Lotte", "Amber", "Hanne", "Zoë", "Aya", "Elif", "Fatima", "Zeynep", "Julia",
    "Roos", "Laure", "Jade", "Nina", "Zofia", "Lore", "Axelle",
];

/// Family names.
pub(crate) const FAMILIES: [&str; 48] = [
    "Peeters",
    "Janssens",
    "Maes",
    "Jacobs",
    "Mertens",
    "Willems",
    "Claes",
    "Goossens",
    "Wouters",
    "De Smet",
    "Dubois",
    "Lambert",
    "Van den Berghe",
    "El Amrani",
    "Yilmaz",
    "Hermans",
    "Michiels",
    "Aerts",
    "De Clercq",
    "Pauwels",
    "Van Damme",
    "De Vos",
    "Hendrickx",
    "Desmet",
    "Lemmens",
    "Segers",
    "Van de Velde",
    "Coppens",
    "Benali",
    "Kaya",
    "Nowak",
    "Verhoeven",
    "Martens",
    "Smets",
    "Bogaert",
    "Dewulf",
    "Declercq",
    "Vermeulen",
    "Van Acker",
    "De Wilde",
    "Cools",
    "Demir",
    "Haddad",
    "Vandenberghe",
    "Thijs",
    "Stevens",
    "D’hondt",
    "Bosmans",
];

/// Given names of parents.
pub(crate) const PARENTS: [&str; 24] = [
    "An",
    "Peter",
    "Sofie",
    "Tom",
    "Els",
    "Koen",
    "Katrien",
    "Bart",
    "Leen",
    "Wim",
    "Ilse",
    "Stijn",
    "Nele",
    "Dirk",
    "Fatiha",
    "Hassan",
    "Ayşe",
    "Mehmet",
    "Agnieszka",
    "Piotr",
    "Veerle",
    "Joris",
    "Hilde",
    "Filip",
];

/// Municipalities that do not exist.
pub(crate) const CITIES: [&str; 12] = [
    "Lindervoorde",
    "Klaverdonk",
    "Zilverzande",
    "Wilgenmere",
    "Berkenwalle",
    "Rietdonk",
    "Ooievaarshove",
    "Elzenzele",
    "Nieuwkraai",
    "Hazelmonde",
    "Kiezelbos",
    "Vlinderhout",
];

/// First halves of streets that do not exist.
pub(crate) const STREET_HEADS: [&str; 16] = [
    "Korenschoof",
    "Zilverspoor",
    "Kikkerbeet",
    "Mosterdzaad",
    "Lampion",
    "Regenpijp",
    "Vuurvlieg",
    "Knikker",
    "Papegaai",
    "Wolkendek",
    "Ganzenveer",
    "Krekelzang",
    "Honingpot",
    "Sterrenstof",
    "Kompasroos",
    "Bladgoud",
];

/// Second halves.
pub(crate) const STREET_TAILS: [&str; 8] = ["straat", "laan", "dreef", "weg", "plein", "pad", "hof", "kaai"];

/// Languages at home (thuistaal), as often as they stand here (ISO 639-1).
pub(crate) const LANGUAGES: [&str; 16] = [
    "nl", "nl", "nl", "nl", "nl", "nl", "nl", "nl", "nl", "nl", "nl", "fr", "ar", "tr", "en", "pl",
];

/// A postal code for a municipality of [`CITIES`]: 9993 to 9999 belong to no real one.
pub(crate) fn postal_code(city: usize) -> String {
    (9993 + city % 7).to_string()
}
