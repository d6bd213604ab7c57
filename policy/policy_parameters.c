/* Job parameters against a policy's `parameters` section. */
#include "policy/policy.h"

#include "base/text.h"
#include "policy/decimal.h"

#include <stdlib.h>
#include <string.h>

/* A number in JSON, exactly: of a real the shortest text that is read back as the same number, which is what the job
 * gets. False for one that has more digits than a decimal. */
static bool read_number(const json_t *value, struct gbx_decimal *ret) {
        char text[GBX_DECIMAL_TEXT_SIZE];
        bool cut;

        if (json_is_integer(value))
                (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        else
                for (int digits = 15; digits <= 17; digits++) {
                        (void)snprintf(text, sizeof text, "%.*g", digits, json_real_value(value));
                        if (strtod(text, NULL) >= json_real_value(value) && strtod(text, NULL) <= json_real_value(value))
                                break;
                }
        return gbx_decimal_read(text, ret, &cut, NULL) >= 0 && !cut;
}

static bool number_allowed(const struct gbx_policy_parameter *parameter, const json_t *value) {
        struct gbx_decimal number, bound;
        bool listed = parameter->values.count == 0;

        if (!read_number(value, &number))
                return false;
        for (size_t i = 0; !listed && i < parameter->values.count; i++)
                listed = gbx_decimal_parse(parameter->values.items[i], &bound, NULL) >= 0 &&
                         gbx_decimal_compare(&number, &bound) == 0;
        if (!listed)
                return false;
        if (parameter->min && (gbx_decimal_parse(parameter->min, &bound, NULL) < 0 || gbx_decimal_compare(&number, &bound) < 0))
                return false;
        return !parameter->max ||
               (gbx_decimal_parse(parameter->max, &bound, NULL) >= 0 && gbx_decimal_compare(&number, &bound) <= 0);
}

static bool plain_text(const json_t *value, uint64_t max_length) {
        const char *text = json_string_value(value);
        size_t length = json_string_length(value);

        if (length > max_length || strlen(text) != length)
                return false;
        for (size_t i = 0; i < length; i++)
                if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
                        return false;
        return true;
}

/* NULL if the value is allowed, otherwise what is wrong with it. */
static const char *value_complaint(const struct gbx_policy_parameter *parameter, const json_t *value) {
        bool listed = parameter->values.count == 0;

        switch (parameter->type) {
        case GBX_TYPE_INTEGER:
                if (!json_is_integer(value))
                        return "is not an integer";
                return number_allowed(parameter, value) ? NULL : "is not among the allowed numbers";
        case GBX_TYPE_DECIMAL:
                if (!json_is_number(value))
                        return "is not a number";
                return number_allowed(parameter, value) ? NULL : "is not among the allowed numbers";
        case GBX_TYPE_BOOLEAN:
                return json_is_boolean(value) ? NULL : "is neither true nor false";
        case GBX_TYPE_DATE:
                if (!json_is_string(value) || !gbx_date_valid(json_string_value(value)))
                        return "is not a date such as \"2026-11-25\"";
                break;
        default:
                if (!json_is_string(value))
                        return "is not a text";
                if (!plain_text(value, parameter->list ? GBX_TEXT_PARAMETER_MAX : parameter->max_length))
                        return "is too long or holds control characters";
        }
        return listed || gbx_texts_contain(&parameter->values, json_string_value(value)) ?
                       NULL :
                       "is not among the allowed values";
}

static const char *list_complaint(const struct gbx_policy_parameter *parameter, const json_t *value) {
        const char *complaint = NULL;

        if (!json_is_array(value))
                return "is not a list";
        if (json_array_size(value) > parameter->max_length)
                return "has too many elements";
        for (size_t i = 0; !complaint && i < json_array_size(value); i++) {
                complaint = value_complaint(parameter, json_array_get(value, i));
                for (size_t j = 0; !complaint && j < i; j++)
                        if (json_equal(json_array_get(value, i), json_array_get(value, j)))
                                complaint = "has the same element twice";
        }
        return complaint;
}

static const struct gbx_policy_parameter *find(const struct gbx_policy *policy, const char *name) {
        const struct gbx_policy_parameter *parameters = policy->parameters.items;

        for (size_t i = 0; i < policy->parameters.count; i++)
                if (strcmp(parameters[i].name, name) == 0)
                        return parameters + i;
        return NULL;
}

static int complain(struct gbx_buffer *buffer, const char *name, const char *complaint, int *count,
                    struct gbx_error *err) {
        char printable[80];

        gbx_text_printable(name, strlen(name), printable, sizeof printable);
        (*count)++;
        return gbx_buffer_printf(buffer, err, "parameter '%s' %s\n", printable, complaint);
}

int gbx_policy_check_parameters(const struct gbx_policy *policy, const json_t *parameters, struct gbx_buffer *buffer,
                                struct gbx_error *err) {
        const struct gbx_policy_parameter *known = policy->parameters.items;
        json_t *copy, *value;
        const char *name;
        int count = 0, r = 0;

        if (!json_is_object(parameters))
                return gbx_fail(err, -EINVAL, "parameters must be a JSON object");
        copy = json_copy((json_t *)(uintptr_t)parameters); /* jansson iterates over mutable objects only */
        if (!copy)
                return gbx_fail_memory(err);
        json_object_foreach(copy, name, value) {
                const struct gbx_policy_parameter *parameter = find(policy, name);
                const char *complaint = !parameter       ? "is not one that the policy allows" :
                                        parameter->list ? list_complaint(parameter, value) :
                                                          value_complaint(parameter, value);

                if (complaint && r >= 0)
                        r = complain(buffer, name, complaint, &count, err);
        }
        for (size_t i = 0; r >= 0 && i < policy->parameters.count; i++)
                if (known[i].required && !json_object_get(copy, known[i].name))
                        r = complain(buffer, known[i].name, "is required", &count, err);
        json_decref(copy);
        return r < 0 ? r : count;
}
