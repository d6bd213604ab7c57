#include "gateway/tabulate/dictionary.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_SIZE = 1 << 20, FIRST_SLOTS = 64 };

static uint64_t hash_of(const struct gbx_scalar *value, bool text) {
        uint64_t hash = value->size, word;
        size_t at = 0;

        if (!text)
                return gbx_mix((uint64_t)value->number);
        for (; at + 8 <= value->size; at += 8) {
                memcpy(&word, value->text + at, 8);
                hash = gbx_mix(hash ^ word);
        }
        word = 0;
        memcpy(&word, value->text + at, value->size - at);
        return gbx_mix(hash ^ word);
}

static bool is_entry(const struct gbx_dictionary_entry *entry, const struct gbx_scalar *value, bool text) {
        return text ? entry->size == value->size && entry->text[0] == value->text[0] && memcmp(entry->text, value->text, value->size) == 0 :
                      entry->size == 0 && entry->number == value->number;
}

static bool find(const struct gbx_dictionary *dictionary, const struct gbx_scalar *value, bool text, uint64_t hash, size_t *ret_slot,
                 uint32_t *ret) {
        size_t slot = (size_t)hash & (dictionary->slot_count - 1);

        for (; dictionary->slots[slot]; slot = (slot + 1) & (dictionary->slot_count - 1)) {
                const struct gbx_dictionary_entry *entry = &dictionary->entries[dictionary->slots[slot] - 1];

                if (entry->hash == hash && is_entry(entry, value, text)) {
                        *ret = dictionary->slots[slot] - 1;
                        return true;
                }
        }
        *ret_slot = slot;
        return false;
}

static int grow(struct gbx_dictionary *dictionary, struct gbx_error *err) {
        size_t slots = dictionary->slot_count ? dictionary->slot_count * 2 : FIRST_SLOTS;
        struct gbx_dictionary_entry *entries = reallocarray(dictionary->entries, slots / 2, sizeof *entries);
        uint32_t *table;

        if (!entries)
                return gbx_fail_memory(err);
        dictionary->entries = entries;
        dictionary->capacity = slots / 2;
        table = calloc(slots, sizeof *table);
        if (!table)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < dictionary->count; i++) {
                size_t slot = (size_t)entries[i].hash & (slots - 1);

                while (table[slot])
                        slot = (slot + 1) & (slots - 1);
                table[slot] = (uint32_t)i + 1;
        }
        free(dictionary->slots);
        dictionary->slots = table;
        dictionary->slot_count = slots;
        return 0;
}

static int copy_text(struct gbx_dictionary *dictionary, const struct gbx_scalar *value, const char **ret, struct gbx_error *err) {
        struct gbx_buffer *page = dictionary->page_count ? &dictionary->pages[dictionary->page_count - 1] : NULL;
        int r;

        if (!page || page->capacity - page->size <= value->size + 1) {
                struct gbx_buffer *pages = reallocarray(dictionary->pages, dictionary->page_count + 1, sizeof *pages);

                if (!pages)
                        return gbx_fail_memory(err);
                dictionary->pages = pages;
                page = &pages[dictionary->page_count++];
                *page = (struct gbx_buffer){};
                r = gbx_buffer_reserve(page, value->size + 2 > PAGE_SIZE ? value->size + 2 : PAGE_SIZE, err);
                if (r < 0)
                        return r;
        }
        *ret = (const char *)page->data + page->size;
        return gbx_buffer_append(page, value->text, value->size, err);
}

int gbx_dictionary_number(struct gbx_dictionary *dictionary, const struct gbx_scalar *value, bool text, uint32_t *ret, bool *ret_new,
                          struct gbx_error *err) {
        struct gbx_dictionary_entry entry = { .size = text ? value->size : 0 };
        size_t slot = 0;
        int r = 0;

        if (ret_new)
                *ret_new = false;
        if (dictionary->last < dictionary->count && is_entry(&dictionary->entries[dictionary->last], value, text)) {
                *ret = dictionary->last;
                return 0;
        }
        if (dictionary->count == dictionary->capacity)
                r = grow(dictionary, err);
        if (r < 0)
                return r;
        entry.hash = hash_of(value, text);
        if (find(dictionary, value, text, entry.hash, &slot, ret)) {
                dictionary->last = *ret;
                return 0;
        }
        if (dictionary->count == GBX_DICTIONARY_MAX)
                return gbx_fail(err, -EDQUOT, "more than %u different values", GBX_DICTIONARY_MAX);
        if (text)
                r = copy_text(dictionary, value, &entry.text, err);
        else
                entry.number = value->number;
        if (r < 0)
                return r;
        dictionary->entries[dictionary->count] = entry;
        *ret = dictionary->last = (uint32_t)dictionary->count++;
        dictionary->slots[slot] = *ret + 1;
        if (ret_new)
                *ret_new = true;
        return 0;
}

bool gbx_dictionary_find(const struct gbx_dictionary *dictionary, const struct gbx_scalar *value, bool text, uint32_t *ret) {
        size_t slot;

        return dictionary->slot_count && find(dictionary, value, text, hash_of(value, text), &slot, ret);
}

void gbx_dictionary_free(struct gbx_dictionary *dictionary) {
        for (size_t i = 0; i < dictionary->page_count; i++)
                gbx_buffer_free(&dictionary->pages[i]);
        free(dictionary->pages);
        free(dictionary->entries);
        free(dictionary->slots);
        *dictionary = (struct gbx_dictionary){};
}
