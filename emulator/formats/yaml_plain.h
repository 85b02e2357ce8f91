// What: what other readers of YAML take an unquoted text for. Pure.
// Why: our rows type the values (`run: 3000` is a text here), but which reader the platform uses is
//      not published; where readers differ a project is told to quote.
// Sources: yaml.org/type (YAML 1.1: on, 3_000, 017, 1:30, dates), YAML 1.2.2 §10.3.
#ifndef EMULATOR_FORMATS_YAML_PLAIN_H
#define EMULATOR_FORMATS_YAML_PLAIN_H

enum yaml_plain {
    YAML_PLAIN_TEXT, // to all of them
    YAML_PLAIN_BOOLEAN,
    YAML_PLAIN_NUMBER,
    YAML_PLAIN_DATE,
};

// text: of an unquoted scalar; null and its forms are yaml_node_is_null()'s.
enum yaml_plain yaml_plain_kind(const char *text);

#endif
