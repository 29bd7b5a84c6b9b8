# Writes the schema of configurations into a source file, as a text:
# cmake -DFROM=FILE -DTO=FILE -P config_schema.cmake
file(READ ${FROM} content)
file(WRITE ${TO} "#include \"runtime/config_schema.hpp\"

namespace troupe::config {

const std::string_view schema_text = R\"~~~(${content})~~~\";

} // namespace troupe::config
")
