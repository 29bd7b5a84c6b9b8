# Writes the files of the dashboard into a source file, as texts:
# cmake -DFROM=DIR -DTO=FILE -P dashboard.cmake
set(text "#include \"runtime/http/dashboard.hpp\"\n\nnamespace troupe::http {\n\n")
foreach(name index.html dashboard.js dashboard.css)
  file(READ ${FROM}/${name} content)
  string(REGEX REPLACE "[^a-z]" "_" id ${name})
  # Compilers take strings of a bounded length.
  string(APPEND text "const std::string_view ${id} = R\"~~~(${content})~~~\";\n\n")
endforeach()
string(APPEND text "} // namespace troupe::http\n")
file(WRITE ${TO} "${text}")
